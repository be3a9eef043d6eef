"""NYUv2 from its official files: against a prepared reference, against analytic geometry, and with broken files."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image
from published_toys import leftovers, save_npy, save_png

from mtlattack.data import load_dataset
from mtlattack.data.sources import list_sources, prepare, prepare_nyuv2
from mtlattack.data.sources.geometry import Intrinsics, normals_from_depth
from mtlattack.data.sources.nyuv2 import CAMERA
from mtlattack.data.sources.resample import average, pick, picked
from mtlattack.data.verifying import verify
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.tasks import Segmentation

# Official numbers of the 24 images of the subset, in its order.
NUMBERS = (
    1, 3, 113, 131, 236, 279, 338, 412, 436, 539, 548, 658, 682, 767, 818, 860, 916, 1025, 1034, 1145, 1161, 1227, 1319,
    1331,
)  # fmt: skip


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between vectors `[…, 3]` of any length."""
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


@pytest.fixture(scope="session")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 24 real images, prepared."""
    return prepare_nyuv2(shared_data / "nyuv2", tmp_path_factory.mktemp("nyuv2") / "nyuv2.h5")


@pytest.mark.parametrize("split", ["train", "test"])
def test_real_images_match_the_reference(split: str, real: Path, shared_data: Path) -> None:
    with h5py.File(real) as ours, h5py.File(shared_data / "nyuv2" / "nyuv2-120x160.h5") as theirs:
        mine, reference = ours[split], theirs[split]
        row_of = {identity.decode(): row for row, identity in enumerate(reference["id"][:])}
        ids = [identity.decode() for identity in mine["id"][:]]
        # The subset numbers its images anew; the order is that of the official numbers.
        rows = [row_of[f"{NUMBERS[int(identity) - 1]:04d}"] for identity in ids]
        assert len(ids) == 12 and ids == sorted(ids) and rows == sorted(rows)
        for name in ("segmentation", "segmentation40"):
            assert np.array_equal(mine[name][:], reference[name][rows])
            assert list(mine[name].attrs["classes"]) == list(reference[name].attrs["classes"])
        assert np.abs(mine["depth"][:].astype(int) - reference["depth"][rows]).max() <= 1  # millimetre
        assert np.abs(mine["image"][:].astype(int) - reference["image"][rows]).max() <= 1
        difference = angles(mine["normals"][:] / 127, reference["normals"][rows] / 127)
        assert np.median(difference) < 0.3 and difference.max() < 1.5


def test_real_file_is_sound_and_opens_by_name(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = verify(real)
    assert report.ok and report.size == (120, 160)
    monkeypatch.setattr("mtlattack.data.cache._CHECKOUT", real.parent)
    assert load_dataset("nyuv2", "train").ids[:3] == ["0002", "0003", "0005"]
    assert set(load_dataset("nyuv2", limit=1)[0].targets) == {"segmentation", "depth", "normals"}


def test_normals_agree_with_those_of_others(shared_data: Path) -> None:
    """AdaShare ships normals that other authors estimated from the same depth, R, G, B = x, z, −y, white = none."""
    folder = shared_data / "nyuv2" / "adashare"
    for path in sorted((folder / "depth").glob("*.npy")):
        encoded = np.asarray(Image.open(folder / "normal_mask" / f"{path.stem}.png").convert("RGB"))[::4, ::4]
        depth = np.load(path)
        rows, columns = np.arange(0, 480, 4), np.arange(0, 640, 4)
        ours = normals_from_depth(depth.reshape(480, 640), CAMERA, rows, columns)
        x, z, minus_y = np.moveaxis(encoded / 127.5 - 1, -1, 0)
        known = (encoded != 255).any(-1) & ours.any(-1)
        difference = angles(ours, np.stack([x, -minus_y, z], -1))[known]
        assert known.mean() > 0.5
        assert np.median(difference) < 5, path.stem


# --- geometry and resampling


@pytest.mark.parametrize("holes", [0.0, 0.5])
@pytest.mark.parametrize("normal", [(0.0, 0.0, -1.0), (0.6, 0.0, -0.8), (-0.3, 0.7, -0.648), (0.0, -0.97, -0.243)])
def test_tilted_plane_has_its_analytic_normal(normal: tuple[float, float, float], holes: float) -> None:
    camera = Intrinsics(fx=90.0, fy=110.0, cx=41.3, cy=27.7)
    n = np.asarray(normal) / np.linalg.norm(normal)
    rows, columns = np.arange(60), np.arange(80)
    ray = np.stack(np.broadcast_arrays((columns - 41.3) / 90, ((rows - 27.7) / 110)[:, None], 1.0), -1)
    facing = ray @ n < -0.05  # the plane n · (z ray) = −2 lies in front of the camera there
    depth = np.where(facing, -2 / np.where(facing, ray @ n, 1), 0)
    depth[np.random.default_rng(0).random(depth.shape) < holes] = np.nan
    found = normals_from_depth(depth, camera, rows, columns)
    known = found.any(-1)
    assert np.array_equal(known, depth > 0)
    assert angles(found, n)[known].max() < 1e-3
    some = normals_from_depth(depth, camera, rows[3::4], columns[2::5])
    np.testing.assert_array_equal(some, found[3::4, 2::5])


def test_no_normal_without_a_plane() -> None:
    camera, depth = Intrinsics(500.0, 500.0, 30.0, 30.0), np.zeros((60, 60))
    depth[30] = 2.0  # one line of pixels fixes no plane
    depth[5, 5] = depth[5, 6] = 1.0
    assert not normals_from_depth(depth, camera, np.arange(60), np.arange(60)).any()


def test_resampling() -> None:
    image = np.random.default_rng(0).integers(0, 256, (12, 20, 3)).astype(np.uint8)
    blocks = image.reshape(3, 4, 5, 4, 3).mean((1, 3))
    assert np.array_equal(average(image, (3, 5)), np.floor(blocks + 0.5).astype(np.uint8))
    assert np.array_equal(average(image, (12, 20)), image)
    assert np.array_equal(average(np.full((12, 20, 3), 77, np.uint8), (7, 11)), np.full((7, 11, 3), 77))
    ramp = np.repeat(np.arange(20, dtype=np.uint8)[None] * 10, 12, 0)[..., None].repeat(3, -1)
    assert np.abs(average(ramp, (5, 8))[0, :, 0] - ((np.arange(8) + 0.5) * 25 - 5)).max() <= 1
    assert picked(120, 480)[:3].tolist() == [2, 6, 10] and picked(5, 5).tolist() == [0, 1, 2, 3, 4]
    assert picked(3, 5).tolist() == [0, 2, 4]
    assert np.array_equal(pick(image, (3, 5)), image[2::4, 2::4])


# --- a published layout of three made-up images, and what can be wrong with it


def cell(strings: list[str]) -> np.ndarray:
    array = np.empty((1, len(strings)), object)
    array[0] = strings
    return array


def write_published(folder: Path) -> Path:
    """The four official files, with 60 raw classes and three images."""
    folder.mkdir(parents=True, exist_ok=True)
    draw, names = np.random.default_rng(0), [f"thing {number}" for number in range(1, 61)]
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w", userblock_size=512) as file:
        layout: dict[str, Any] = {"compression": 1}
        file.create_dataset("images", data=np.full((3, 3, 640, 480), 90, np.uint8), chunks=(1, 3, 640, 480), **layout)
        file.create_dataset("depths", data=np.full((3, 640, 480), 2.5, np.float32), chunks=(1, 640, 480), **layout)
        labels = draw.integers(0, 61, (3, 1, 1)) * np.ones((1, 640, 480))
        labels[:, :, :240] = 7
        file.create_dataset("labels", data=labels.astype(np.uint16), chunks=(1, 640, 480), **layout)
        references = file.create_dataset("names", (1, 60), h5py.ref_dtype)
        for number, name in enumerate(names):
            units = np.frombuffer(name.encode("utf-16-le"), np.uint16)[:, None]
            references[0, number] = file.create_dataset(f"#refs#/{number}", data=units).ref
    scipy.io.savemat(folder / "splits.mat", {"trainNdxs": np.array([[3], [1]]), "testNdxs": np.array([[2]])})
    table = {"mapClass": np.arange(60)[None] % 40 + 1, "allClassName": cell(names)}
    scipy.io.savemat(folder / "classMapping40.mat", table | {"className": cell([f"c{k}" for k in range(40)])})
    table13 = {"labels13": np.arange(40)[None] % 13 + 1, "classNames": cell([f"d{k}" for k in range(13)])}
    scipy.io.savemat(folder / "class13Mapping.mat", {"classMapping13": table13})
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_published(tmp_path_factory.mktemp("published"))


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy of the published files, to be spoiled."""
    return Path(shutil.copytree(published, tmp_path / "published"))


def test_published_layout(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTLATTACK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("mtlattack.data.cache._CHECKOUT", tmp_path)
    out = prepare("nyuv2", published, size=(30, 50))
    assert out == tmp_path / "cache" / "nyuv2.h5" and "nyuv2" in list_sources()
    assert verify(out, published).ok and verify(out, published / "splits.mat").ok
    with h5py.File(out) as file:
        recorded = {(split.decode(), name.decode()) for split, name in file["sources"]["split", "file"]}
    assert recorded == {(split, path.name) for split in ("train", "test") for path in published.iterdir()}
    train = load_dataset("nyuv2", "train", tasks={"fine": Segmentation(40), "coarse": Segmentation(13)})
    assert (train.ids, train.size) == (["0001", "0003"], (30, 50))
    assert load_dataset("nyuv2").ids == ["0002"]
    item = train[0]
    assert (item.targets["fine"][0, :15] == 6).all() and (item.targets["coarse"][0, :15] == 6).all()
    sample = load_dataset("nyuv2")[0]
    assert (sample.images * 255).round().unique().tolist() == [90]
    assert sample.targets["depth"].unique().tolist() == pytest.approx([2.5])
    assert angles(sample.targets["normals"][0].permute(1, 2, 0).numpy(), np.array([0, 0, -1.0])).max() < 0.5
    alone = prepare_nyuv2(published / "nyu_depth_v2_labeled.mat", tmp_path / "alone.h5", splits=["test"], size=(30, 50))
    assert load_dataset(alone).fingerprint() == load_dataset("nyuv2").fingerprint()
    assert [split.name for split in verify(alone).splits] == ["test"]


def test_unlabelled_pixels_and_invalid_depth(folder: Path, tmp_path: Path) -> None:
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "a") as file:
        file["labels"][1, :, :] = 0
        file["depths"][1, :320, :] = 0
        file["depths"][1, 320:330, :] = np.nan
    with pytest.warns(UserWarning, match="nothing of test/segmentation, test/segmentation40 was kept"):
        prepared = prepare_nyuv2(folder, tmp_path / "x.h5", size=(48, 64))
    sample = load_dataset(prepared)[0]
    assert (sample.targets["segmentation"] == 255).all()
    invalid = sample.targets["depth"] == 0
    assert invalid[..., :33].all() and not invalid[..., 33:].any()
    assert bool(((sample.targets["normals"] == 0).all(1) == invalid).all())


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def truncate(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(
        (folder / name).read_bytes()[: (folder / name).stat().st_size // 2]
    )


def duplicate(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        for suffix in "ab":
            shutil.copy(folder / name, folder / name.replace(".mat", f"_{suffix}.mat"))
        (folder / name).unlink()

    return spoil


def rewrite(name: str, **changed: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        variables = {k: v for k, v in scipy.io.loadmat(folder / name).items() if not k.startswith("__")}
        kept = {k: v for k, v in (variables | changed).items() if v is not None}
        scipy.io.savemat(folder / name, kept)

    return spoil


def relabel(name: str, value: Callable[[h5py.File], Any]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        with h5py.File(folder / "nyu_depth_v2_labeled.mat", "a") as file:
            data = value(file)
            del file[name]
            if data is not None:
                file[name] = data

    return spoil


def corrupt_chunk(folder: Path) -> None:
    path = folder / "nyu_depth_v2_labeled.mat"
    with h5py.File(path) as file:
        chunk = file["depths"].id.get_chunk_info(1)
    content = bytearray(path.read_bytes())
    # h5py counts from the end of MATLAB's block of 512 bytes in some versions; both places lie inside the chunk.
    for position in range(chunk.byte_offset + 600, chunk.byte_offset + 640):
        content[position] ^= 0xFF
    path.write_bytes(bytes(content))


def outside(file: h5py.File) -> np.ndarray:
    labels: np.ndarray = file["labels"][:]
    labels[1, 3, 3] = 61
    return labels


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no data": (remove("nyu_depth_v2_labeled.mat"), "has no nyu_depth_v2_labeled.mat: the labelled data set"),
    "no splits": (remove("splits.mat"), "has no splits.mat: the official split"),
    "no 40": (remove("classMapping40.mat"), "has no classMapping40.mat: the table from its 894 classes to 40"),
    "no 13": (remove("class13Mapping.mat"), "has no class13Mapping.mat: the table from 40 classes to 13"),
    "two": (duplicate("splits.mat"), r"has several splits\*.mat: splits_a.mat, splits_b.mat; keep one"),
    "data cut": (truncate("nyu_depth_v2_labeled.mat"), "nyu_depth_v2_labeled.mat is truncated or no MATLAB 7.3 file"),
    "splits cut": (truncate("splits.mat"), "splits.mat is truncated or no MATLAB file"),
    "40 cut": (truncate("classMapping40.mat"), "classMapping40.mat is truncated or no MATLAB file"),
    "no test": (rewrite("splits.mat", testNdxs=None), "splits.mat has no variable 'testNdxs'"),
    "number": (rewrite("splits.mat", testNdxs=[[4]]), "splits.mat: testNdxs does not hold image numbers from 1 to 3"),
    "zero": (rewrite("splits.mat", trainNdxs=[[0]]), "splits.mat: trainNdxs does not hold image numbers"),
    "overlap": (rewrite("splits.mat", testNdxs=[[1]]), "splits.mat names an image twice"),
    "short table": (
        rewrite("classMapping40.mat", mapClass=[[1, 2]]),
        "mapClass maps 2 classes to 40, expected 60 to 40",
    ),
    "class 41": (
        rewrite("classMapping40.mat", mapClass=[[41] * 60]),
        "mapClass has class numbers 41 to 41, expected 1",
    ),
    "other names": (
        rewrite("classMapping40.mat", allClassName=cell(["thing 1"] + ["wall"] * 59)),
        "classMapping40.mat belongs to other labels than .*: class 2 is 'thing 2' and 'wall'",
    ),
    "no struct": (rewrite("class13Mapping.mat", classMapping13=[[1]]), "classMapping13 is no struct"),
    "no labels": (relabel("labels", lambda file: None), "nyu_depth_v2_labeled.mat has no variable 'labels'"),
    "frame": (
        relabel("labels", lambda file: file["labels"][:, :600]),
        r"labels is uint16 \(3, 600, 480\), expected uint16 \(3, 640, 480\)",
    ),
    "class 61": (relabel("labels", outside), "image 0002 has the class 61, expected 0 to 60"),
    "chunk": (corrupt_chunk, "nyu_depth_v2_labeled.mat: image 0002 cannot be read"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_source_is_named_and_leaves_nothing(fault: str, folder: Path, tmp_path: Path) -> None:
    spoil, message = FAULTS[fault]
    spoil(folder)
    with pytest.raises(InputError, match=message) as caught:
        prepare("nyuv2", folder, tmp_path / "out" / "nyuv2.h5", size=(12, 16))
    assert "\n" not in str(caught.value)
    # Faults of one image are found when it is read: the images before it are kept.
    assert leftovers(tmp_path / "out") == ([".nyuv2.h5.parts"] if fault in ("class 61", "chunk") else [])


def test_normals_from_a_folder(published: Path, tmp_path: Path) -> None:
    """Slanted floors of constant normal, published as x, z, −y: they are taken as they are, and checked."""
    source = Path(shutil.copytree(published, tmp_path / "source"))
    v = (np.arange(480) - CAMERA.cy) / CAMERA.fy
    u = (np.arange(640) - CAMERA.cx) / CAMERA.fx
    normal = np.array([0.48, -0.6, -0.64])
    depth = -1.5 / (normal[0] * u[:, None] + normal[1] * v + normal[2])  # stored [W, H]
    with h5py.File(source / "nyu_depth_v2_labeled.mat", "a") as file:
        file["depths"][:] = np.where((depth > 0) & (depth < 9), depth, 0).astype(np.float32)
    for number, suffix in (("0001", "png"), ("0002", "npy"), ("0003", "png")):
        given = np.broadcast_to([normal[0], normal[2], -normal[1]], (480, 640, 3)).copy()
        given[:, :40] = 0
        path = tmp_path / "normals" / f"{number}.{suffix}"
        save_npy(path, given) if suffix == "npy" else save_png(path, np.rint((given + 1) * 127.5).astype(np.uint8))
    options = {"size": (48, 64), "normals": tmp_path / "normals"}
    out = prepare("nyuv2", source, tmp_path / "x.h5", frame="x,z,-y", **options)
    with h5py.File(out) as file:
        for split in ("train", "test"):
            stored = file[split]["normals"][:]
            assert not stored[:, :, :4].any() and stored[:, :, 4:].any(-1).all()
            assert angles(stored[:, :, 4:].astype(float), normal).max() < 1
        assert file["test/normals"].attrs["source_frame"] == "x,z,-y" and not file["test/normals"].attrs["derived"]
        assert b"../normals/0002.npy" in file["sources"]["file"]
    assert verify(out, source).ok
    with pytest.raises(InputError, match="normals: the normals are not in the frame x,y,z"):
        prepare("nyuv2", source, tmp_path / "y.h5", frame="x,y,z", **options)
    (tmp_path / "normals" / "0002.npy").unlink()
    assert [str(p) for p in verify(out, source).problems] == [f"../normals/0002.npy is missing in {source}"]
    with pytest.raises(InputError, match="normals has neither 0002.npy nor 0002.png"):
        prepare("nyuv2", source, tmp_path / "y.h5", **options)
    with pytest.raises(InputError, match="no folder .*nowhere: normals of NYUv2"):
        prepare("nyuv2", source, tmp_path / "y.h5", normals=tmp_path / "nowhere")
    with pytest.raises(InputError, match="frame 'x,y,z' is that of normals from a folder"):
        prepare("nyuv2", source, tmp_path / "y.h5", frame="x,y,z")
    assert leftovers(tmp_path) == ["normals", "source", "x.h5"]


def test_wrong_arguments(published: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    with pytest.raises(InputError, match="no file or folder .*nowhere"):
        prepare("nyuv2", tmp_path / "nowhere", out)
    with pytest.raises(InputError, match="size 481x640, expected 1x1 to 480x640"):
        prepare("nyuv2", published, out, size=(481, 640))
    with pytest.raises(InputError, match="size 0x640"):
        prepare("nyuv2", published, out, size=(0, 640))
    with pytest.raises(UnknownNameError, match="split of nyuv2 'val'"):
        prepare_nyuv2(published, out, splits=["val"])
    with pytest.raises(UnknownNameError, match="unknown source of data 'nyu2'; did you mean 'nyuv2'"):
        prepare("nyu2", published, out)
    assert not out.exists()

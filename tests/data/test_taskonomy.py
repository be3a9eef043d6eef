"""Taskonomy in each layout: prepared labels against the files' numbers, splits, and broken folders."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from published_toys import save_png
from taskonomy_toys import IDS, LAYOUTS, VIEWS, file_name, room_arrays, write_taskonomy

from mtlattack.data import load_dataset, prepare, preview, verify
from mtlattack.data.sources import prepare_taskonomy
from mtlattack.data.sources.files import read_image
from mtlattack.data.sources.signs import check_signs, sign_agreement
from mtlattack.data.sources.taskonomy_domains import CLASSES
from mtlattack.data.sources.taskonomy_layout import View, choose_splits
from mtlattack.errors import InputError, UnknownNameError

SIZE = (48, 64)
SPLITS = {"test": ["Allensville", "pomaria_1_int/point_2_view_1", "wiconisco"]}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_taskonomy(tmp_path_factory.mktemp("taskonomy"))
    (folder / "splits.json").write_text(json.dumps(SPLITS))
    return folder


@pytest.fixture(scope="module")
def prepared(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare("taskonomy", published, tmp_path_factory.mktemp("out") / "t.h5", size=SIZE)


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy of the published files, to be spoiled."""
    return Path(shutil.copytree(published, tmp_path / "copy"))


@pytest.mark.parametrize("position", range(4))
def test_labels_are_the_files_numbers(position: int, prepared: Path) -> None:
    data, source = load_dataset(prepared), room_arrays(position)
    assert data.ids == IDS and data.class_names("segmentation") == list(CLASSES) and len(CLASSES) == 17
    batch = data[position]
    found = {name: target[0].numpy() for name, target in batch.targets.items()}
    # The pixels under the new pixels' centres, by hand: every second one.
    raw = {name: array[1::2, 1::2].astype(np.float64) for name, array in source.items()}
    hole = raw["depth_zbuffer"] >= 64500
    assert hole[:5].all() and not hole[5:].any()

    blocks = source["rgb"].reshape(48, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(255 * batch.images[0].permute(1, 2, 0).numpy() - blocks).max() <= 0.5001
    assert np.array_equal(
        found["segmentation"], np.where(raw["segment_semantic"] == 0, 255, raw["segment_semantic"] - 1)
    )
    for name, file in (("depth", "depth_zbuffer"), ("depth_euclidean", "depth_euclidean")):
        assert np.array_equal(found[name], np.where(hole, 0, raw[file] / 512))
    normals = 2 * raw["normal"] / 255 - 1
    normals[..., 2] *= -1
    normals[hole] = 0
    assert np.abs(found["normals"].transpose(1, 2, 0) - normals).max() < 0.016  # 8 bits twice
    assert (found["normals"][2] <= 0.016).mean() > 0.9
    for name, clip in (("edge_texture", 0.08), ("keypoints2d", 0.005)):
        assert np.abs(found[name] - np.clip(raw[name] / 65536, 0, clip) / clip).max() < 1e-5
        assert found[name].max() <= 1
    shade = np.where(hole, np.nan, raw["reshading"][..., 0] / 255)
    np.testing.assert_allclose(found["reshading"], shade, rtol=1e-6)
    curvature = np.where(hole[..., None], np.nan, (raw["principal_curvature"][..., :2] - 127) / 128)
    np.testing.assert_array_equal(found["principal_curvature"].transpose(1, 2, 0), curvature)


def test_prepared_file_is_sound(prepared: Path, tmp_path: Path) -> None:
    report = verify(prepared)
    assert report.ok and report.size == SIZE
    assert preview(load_dataset(prepared), tmp_path / "panel.png", 2).is_file()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same(layout: str, prepared: Path, tmp_path: Path) -> None:
    domains = ("rgb", "segment_semantic", "depth_zbuffer")
    out = prepare_taskonomy(write_taskonomy(tmp_path / "in", layout, domains), tmp_path / "t.h5", size=SIZE)
    seen = {}
    for split in ("train", "test"):
        data = load_dataset(out, split)
        assert set(data.tasks) == {"segmentation", "depth"}
        seen |= {identity: data[k] for k, identity in enumerate(data.ids)}
    whole = load_dataset(prepared)
    assert sorted(seen) == sorted(IDS)
    for position, identity in enumerate(IDS):
        assert (seen[identity].images == whole[position].images).all()
        for name in ("segmentation", "depth"):
            assert (seen[identity].targets[name] == whole[position].targets[name]).all()


def test_one_building_alone_bears_its_folders_name(tmp_path: Path) -> None:
    for domain in ("rgb", "depth_zbuffer"):
        save_png(tmp_path / "Adairsville" / domain / file_name(1, 2, domain), room_arrays(0)[domain])
    (tmp_path / "Adairsville" / "splits.json").write_text('{"all": ["Adairsville"]}')
    out = prepare_taskonomy(tmp_path / "Adairsville", tmp_path / "t.h5", size=SIZE)
    assert load_dataset(out, "all").ids == ["Adairsville/point_1_view_2"]


def test_buildings_are_divided_by_their_names_alone(tmp_path: Path) -> None:
    names = [f"building {k}" for k in range(2000)]
    splits = choose_splits(tmp_path, {name: View(name, 0, 0) for name in names})
    assert 1540 < len(splits["train"]) < 1660
    again = choose_splits(tmp_path, {name: View(name, 0, 0) for name in reversed(names[:100])})
    for split, views in again.items():
        assert {view.id for view in views} <= {view.id for view in splits[split]}
    # Fixed for good: a prepared file of today must be one of tomorrow.
    assert [view.building for view in splits["test"]][:3] == ["building 2", "building 3", "building 11"]


def test_splits_by_building_and_by_view(folder: Path, tmp_path: Path) -> None:
    (folder / "splits.json").write_text(json.dumps({"a": [IDS[1], "wiconisco"], "b": ["pomaria_1_int"]}))
    out = prepare_taskonomy(folder, tmp_path / "t.h5", size=(12, 16))
    assert load_dataset(out, "a").ids == [IDS[1], IDS[3]] and load_dataset(out, "b").ids == [IDS[2]]


@pytest.mark.parametrize("blue", [1, -1])
def test_blue_may_point_either_way(blue: int, folder: Path, prepared: Path, tmp_path: Path) -> None:
    for path in folder.glob("*_normal/*.png"):
        array = read_image(path)
        save_png(path, np.stack([array[..., 0], array[..., 1], array[..., 2] if blue > 0 else 255 - array[..., 2]], -1))
    data = load_dataset(prepare_taskonomy(folder, tmp_path / "t.h5", size=SIZE))
    for position in range(4):
        assert (data[position].targets["normals"] == load_dataset(prepared)[position].targets["normals"]).all()


@pytest.mark.parametrize(("order", "axis"), [((-1, 2, 3), "x"), ((1, -2, 3), "y"), ((2, 1, 3), "x")])
def test_other_axes_are_seen_by_the_depth(order: tuple[int, ...], axis: str, folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("*_normal/*.png"):
        array = read_image(path)
        save_png(path, np.stack([array[..., k - 1] if k > 0 else 255 - array[..., -k - 1] for k in order], -1))
    with pytest.raises(
        InputError, match=rf"domain_normal.png and others: read as .*{axis} [0-9.]* %.*best of all 48 is"
    ):
        prepare_taskonomy(folder, tmp_path / "t.h5", size=SIZE)
    names = {1: "x", -1: "-x", 2: "y", -2: "-y", 3: "-z"}
    out = prepare_taskonomy(folder, tmp_path / "t.h5", size=SIZE, frame=",".join(names[k] for k in order))
    assert verify(out).ok


def test_signs_agree_whatever_the_field_of_view() -> None:
    rooms = [load_dataset("rooms", limit=6)[k].targets for k in range(6)]
    normals = [room["normals"][0].permute(1, 2, 0).double().numpy() for room in rooms]
    depths = [room["depth"][0].double().numpy() for room in rooms]
    for axis, (share, count) in sign_agreement(normals, depths).items():
        assert share > 0.95 and count > 200, axis
    turned = [image * (1, -1, 1) for image in normals]
    assert sign_agreement(turned, depths)["y"][0] < 0.05
    # Too few pixels that tell: a wall ahead shows neither x nor y.
    wall = np.broadcast_to(np.array([0.0, 0.0, -1.0]), (96, 128, 3))
    check_signs([wall], [np.full((96, 128), 2.0)], "wall", "x,y,z")


def place(position: int, domain: str) -> str:
    building, point, view = VIEWS[position]
    return f"{building}_{domain}/{file_name(point, view, domain)}"


def change(position: int, domain: str, make: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / place(position, domain)
        save_png(path, make(np.array(room_arrays(position)[domain])))

    return spoil


def remove(position: int, domain: str) -> Callable[[Path], None]:
    return lambda folder: (folder / place(position, domain)).unlink()


def cut(position: int, domain: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / place(position, domain)
        path.write_bytes(path.read_bytes()[:-200])

    return spoil


def move(position: int, domain: str, to: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / place(position, domain), folder / to)

    return spoil


def splits(content: object) -> Callable[[Path], None]:
    text = content if isinstance(content, str) else json.dumps(content)
    return lambda folder: Path(folder / "splits.json").write_text(text) and None


def dots(array: np.ndarray) -> np.ndarray:
    array[5::2, 5::2] = 200
    return array


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no image": (
        remove(1, "rgb"),
        r"no file .*Allensville_rgb/point_10_view_0_domain_rgb.png, which 3 of 4 views have",
    ),
    "no label": (
        remove(2, "segment_semantic"),
        "no file point_2_view_1_domain_segmentsemantic.png of pomaria_1_int, which 3 of 4 views have, so pomaria",
    ),
    "image cut": (cut(0, "rgb"), "Allensville_rgb/point_0_view_3_domain_rgb.png is damaged or no image"),
    "label cut": (cut(3, "keypoints2d"), "wiconisco_keypoints2d/point_7_view_0_domain_keypoints2d.png is damaged"),
    "text": (
        lambda folder: (folder / place(1, "reshading")).write_text("moved") and None,
        "point_10_view_0_domain_reshading.png is damaged or no image",
    ),
    "size": (
        change(2, "depth_zbuffer", lambda a: a[:-1]),
        r"point_2_view_1_domain_depth_zbuffer.png is 95x128 .height x width., expected 96x128",
    ),
    "image size": (change(3, "rgb", lambda a: a[:, 1:]), "point_7_view_0_domain_rgb.png is 96x127"),
    "8 bits": (
        change(1, "edge_texture", lambda a: a.astype(np.uint8)),
        "point_10_view_0_domain_edge_texture.png has 8 bits, expected 16",
    ),
    "colours": (
        change(1, "depth_euclidean", lambda a: np.repeat(a[..., None] % 256, 3, -1).astype(np.uint8)),
        "point_10_view_0_domain_depth_euclidean.png is an image of mode RGB",
    ),
    "shade": (
        change(0, "reshading", lambda a: a * np.array([1, 0, 1], np.uint8)),
        "point_0_view_3_domain_reshading.png has colours, expected the three channels of reshading to be equal",
    ),
    "class": (change(3, "segment_semantic", dots), "domain_segmentsemantic.png has the class 200, expected 0 to 17"),
    "no normals": (
        change(2, "normal", lambda a: np.full_like(a, 30)),
        "point_2_view_1_domain_normal.png holds no vectors of length 1",
    ),
    "both ways": (
        lambda folder: (
            [
                change(k, "normal", lambda a: np.where(np.arange(128)[:, None] < 64, a, 255 - a))(folder)
                for k in range(4)
            ]
            and None
        ),
        "domain_normal.png and others: [4-6][0-9] % of the normals have z > 0, expected at least 80 % or at most 20 %",
    ),
    "two": (
        move(0, "rgb", "rgb/Allensville/point_0_view_3_domain_rgb.png"),
        "Allensville/point_0_view_3_domain_rgb.png and .* are the same view; keep one",
    ),
    "wrong folder": (
        move(0, "rgb", "Allensville_normal/point_0_view_3_domain_rgb.png"),
        "point_0_view_3_domain_rgb.png lies in Allensville_normal, expected <building>_rgb, <building>/rgb or rgb/",
    ),
    "too deep": (
        move(0, "rgb", "old/Allensville/rgb/point_1_view_3_domain_rgb.png"),
        "point_1_view_3_domain_rgb.png lies in old/Allensville/rgb, expected <building>_rgb",
    ),
    "nothing": (
        lambda folder: [shutil.rmtree(path) for path in folder.iterdir() if path.is_dir()] and None,
        "has no files point_P_view_V_domain_D.png below it",
    ),
    "no json": (splits("{"), "splits.json is damaged or no JSON"),
    "endless json": (splits("[" * 100_000), "splits.json is damaged or no JSON"),
    "list": (splits([["a"]]), "splits.json is no object of splits"),
    "no list": (splits({"test": "Allensville"}), "splits.json: test: Input should be a valid list"),
    "empty": (splits({"test": []}), "splits.json: split 'test' of 0 entries, expected"),
    "slash": (splits({"a/b": ["Allensville"]}), "splits.json: split 'a/b' of 1 entry, expected a name without /"),
    "twice": (
        splits({"a": ["Allensville"], "b": [IDS[0]]}),
        "splits.json: Allensville/point_0_view_3 is in a and in b",
    ),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("fault", FAULTS)
def test_broken_source_is_named(fault: str, folder: Path, tmp_path: Path) -> None:
    spoil, message = FAULTS[fault]
    spoil(folder)
    with pytest.raises(InputError, match=message) as caught:
        prepare("taskonomy", folder, tmp_path / "out" / "t.h5", size=(12, 16))
    assert "\n" not in str(caught.value) and not (tmp_path / "out" / "t.h5").exists()


@pytest.mark.parametrize(("entry", "hint"), [("Alensville", "Allensville"), ("wiconisco/point_7_view_1", IDS[3])])
def test_unknown_building_or_view_names_the_nearest(entry: str, hint: str, folder: Path, tmp_path: Path) -> None:
    (folder / "splits.json").write_text(json.dumps({"test": [entry]}))
    with pytest.raises(UnknownNameError, match=f"(building|view) in .*splits.json: {entry!r}; did you mean {hint!r}"):
        prepare_taskonomy(folder, tmp_path / "t.h5")


def test_wrong_arguments(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder .*nowhere"):
        prepare_taskonomy(tmp_path / "nowhere", tmp_path / "t.h5")
    with pytest.raises(InputError, match="size 256x256, expected 1x1 to 96x128"):
        prepare_taskonomy(folder, tmp_path / "t.h5")
    with pytest.raises(InputError, match="frame 'x,y'"):
        prepare_taskonomy(folder, tmp_path / "t.h5", size=SIZE, frame="x,y")


def test_a_broken_run_goes_on_where_it_was(folder: Path, prepared: Path, tmp_path: Path) -> None:
    path = folder / place(3, "reshading")
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    with pytest.raises(InputError, match="reshading.png is damaged"):
        prepare_taskonomy(folder, tmp_path / "t.h5", size=SIZE)
    path.write_bytes(whole)
    out = prepare_taskonomy(folder, tmp_path / "t.h5", size=SIZE)
    assert load_dataset(out).fingerprint() == load_dataset(prepared).fingerprint()
    assert verify(out, folder).ok
    assert [x.name for x in tmp_path.iterdir() if x.is_file()] == ["t.h5"]

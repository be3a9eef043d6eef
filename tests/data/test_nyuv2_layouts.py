"""NYUv2 in MTAN's and in AdaShare's layout: what is prepared is what was published; a wrong file is named."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from published_toys import (
    corrupt,
    encode_adashare,
    halve,
    leftovers,
    mtan_classes,
    put,
    remove,
    room,
    truncate,
    write_adashare,
    write_mtan,
)

from mtlattack.data import load_dataset, prepare, verify
from mtlattack.data.sources import prepare_nyuv2_adashare, prepare_nyuv2_mtan
from mtlattack.data.sources.nyuv2_adashare import CLASSES
from mtlattack.errors import InputError, UnknownNameError

SMALL = (24, 32)


@pytest.fixture(scope="module")
def mtan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mtan(tmp_path_factory.mktemp("mtan"))


@pytest.fixture(scope="module")
def adashare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_adashare(tmp_path_factory.mktemp("adashare"))


def stored(path: Path, split: str) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        return {name: data[:] for name, data in file[split].items()}


def degrees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles between vectors that are stored as 127ths."""
    a, b = a.astype(float), b.astype(float)
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


def test_mtan_is_what_was_published(mtan: Path, tmp_path: Path) -> None:
    """At a third of its size every prepared pixel is one pixel of a room."""
    out = prepare("nyuv2-mtan", mtan, tmp_path / "mtan.h5", size=(96, 128))
    for split, rows in {"train": (0, 1, 2), "test": (3, 4)}.items():
        arrays = stored(out, split)
        assert arrays["id"].tolist() == [f"{k:04d}".encode() for k in range(len(rows))]
        for k, row in enumerate(rows):
            expected, classes = room(row), mtan_classes(row)
            assert np.array_equal(arrays["image"][k], expected["image"])
            assert np.array_equal(arrays["segmentation"][k], np.where(classes < 0, 255, classes))
            assert np.array_equal(arrays["depth"][k], expected["depth"])
            assert degrees(arrays["normals"][k], expected["normals"]).max() < 1
            assert np.array_equal(arrays["normals"][k].any(-1), expected["normals"].any(-1))
    assert verify(out, mtan).ok
    data = load_dataset(out)
    assert (data.name, data.tasks["segmentation"].channels, data.class_names("segmentation")) == (
        "nyuv2-mtan",
        13,
        None,
    )
    with h5py.File(out) as file:
        assert file["test/normals"].attrs["source_frame"] == "x,-y,-z"
        assert len(file["sources"]) == 5 * 4
    whole = stored(prepare_nyuv2_mtan(mtan, tmp_path / "whole.h5", splits=["test"]), "test")
    assert whole["image"].shape == (2, 288, 384, 3)
    assert np.array_equal(whole["depth"][1][1::3, 1::3], room(4)["depth"])


def test_mtan_frame_is_found_or_checked(mtan: Path, tmp_path: Path) -> None:
    found = load_dataset(prepare_nyuv2_mtan(mtan, tmp_path / "a.h5", size=SMALL, splits="test")).fingerprint()
    said = prepare("nyuv2-mtan", mtan, tmp_path / "b.h5", size=SMALL, splits="test", frame="x,-y,-z")
    assert load_dataset(said).fingerprint() == found
    for wrong in ("x,y,z", "-x,-y,-z", "x,y,-z", "x,-z,-y"):
        with pytest.raises(InputError, match="train/normal: the normals are not in the frame .*; x,-y,-z fits"):
            prepare("nyuv2-mtan", mtan, tmp_path / "c.h5", size=SMALL, frame=wrong)
    with pytest.raises(InputError, match="frame 'opengl', expected auto or"):
        prepare("nyuv2-mtan", mtan, tmp_path / "c.h5", size=SMALL, frame="opengl")
    assert leftovers(tmp_path) == ["a.h5", "b.h5"]


def test_adashare_is_what_was_published(adashare: Path, tmp_path: Path) -> None:
    out = prepare("nyuv2-adashare", adashare, tmp_path / "adashare.h5", size=(96, 128))
    for split, rows in {"train": (0, 1), "test": (2,)}.items():
        arrays = stored(out, split)
        assert arrays["id"].tolist() == [f"{row:04d}".encode() for row in rows]
        for k, row in enumerate(rows):
            expected = room(row)
            classes = expected["segmentation"]
            assert np.array_equal(arrays["image"][k], expected["image"])
            assert np.array_equal(arrays["segmentation"][k], np.where(classes == 13, 255, classes * 3))
            assert np.array_equal(arrays["depth"][k], expected["depth"])
            assert degrees(arrays["normals"][k], expected["normals"]).max() < 1.2
    assert verify(out, adashare).ok
    assert load_dataset(out).class_names("segmentation") == list(CLASSES)
    with h5py.File(out) as file:
        names = {name.decode() for name in file["sources"]["file"]}
        assert len(names) == 3 * 4 + 1 and {"nyu_v2_3task.json", "depth/0002.npy"} <= names


def test_adashare_without_a_list_is_its_folders(adashare: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(adashare, tmp_path / "folder"))
    (folder / "nyu_v2_3task.json").unlink()
    out = prepare_nyuv2_adashare(folder, tmp_path / "x.h5", size=SMALL)
    assert load_dataset(out).ids == ["0000", "0001", "0002"]
    with pytest.raises(UnknownNameError, match="unknown split of nyuv2-adashare 'train'"):
        prepare_nyuv2_adashare(folder, tmp_path / "x.h5", size=SMALL, splits=["train"])


def test_real_adashare_images(shared_data: Path, tmp_path: Path) -> None:
    """They are official images (counted from 0), so they match the reference that was prepared from the .mat."""
    out = prepare("nyuv2-adashare", shared_data / "nyuv2" / "adashare", tmp_path / "x.h5", size=(120, 160))
    assert verify(out, shared_data / "nyuv2" / "adashare").ok
    arrays = stored(out, "test")
    assert arrays["id"].tolist() == [b"0061", b"0295", b"0774", b"1314"]
    with h5py.File(shared_data / "nyuv2" / "nyuv2-120x160.h5") as file:
        for k, identity in enumerate(arrays["id"]):
            official = f"{int(identity) + 1:04d}".encode()
            group = next(group for group in file.values() if official in group["id"][:])
            row = group["id"][:].tolist().index(official)
            assert np.array_equal(arrays["segmentation"][k], group["segmentation40"][row])
            assert group["segmentation40"].attrs["classes"].tolist() == list(CLASSES)
            assert np.abs(arrays["depth"][k].astype(int) - group["depth"][row]).max() <= 25  # it has 8-bit steps
            assert np.abs(arrays["image"][k].astype(int) - group["image"][row]).mean() < 2
            both = arrays["normals"][k].any(-1) & group["normals"][row].any(-1)
            angle = degrees(arrays["normals"][k], group["normals"][row])[both]
            assert np.median(angle) < 10 and both.mean() > 0.5  # those were derived from the 8-bit depth
    for wrong in ("-x,z,-y", "x,-z,-y", "x,y,z"):
        with pytest.raises(InputError, match="normal_mask: the normals are not in the frame .*; x,z,-y fits"):
            prepare("nyuv2-adashare", shared_data / "nyuv2" / "adashare", tmp_path / "y.h5", frame=wrong)


def relist(change: Callable[[dict[str, list[list[str]]]], object]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        listed = json.loads(path.read_text())
        changed = change(listed)
        path.write_text(json.dumps(listed if changed is None else changed))

    return spoil


MTAN_FAULTS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "missing image": ("val/image/1.npy", remove, "no file .*val/image/1.npy: MTAN's NYUv2 has"),
    "missing label": ("train/label/2.npy", remove, "no file .*train/label/2.npy"),
    "cut": ("train/depth/2.npy", truncate, "train/depth/2.npy is damaged or no .npy file"),
    "foreign": ("train/label/2.npy", lambda path: path.write_text("x"), "label/2.npy is damaged or no .npy file"),
    "class 13": ("train/label/2.npy", partial(put, value=13), "label/2.npy has the class 13, expected 0 to 12 or -1"),
    "class -2": ("train/label/2.npy", partial(put, value=-2), "label/2.npy has the class -2, expected 0 to 12 or -1"),
    "dark": ("train/image/2.npy", partial(put, value=-0.1), "image/2.npy has values from -0.1 to .*, expected 0 to 1"),
    "bytes": ("train/image/2.npy", partial(put, value=200), "image/2.npy has values from .* to 200, expected 0 to 1"),
    "nan": ("train/image/2.npy", partial(put, value=np.nan), "image/2.npy has values from nan to nan, expected 0"),
    **{
        f"half {kind}": (f"train/{kind}/2.npy", halve, rf"{kind}/2.npy has shape \(144, 384.*expected \(288, 384")
        for kind in ("image", "label", "depth", "normal")
    },
}
ADASHARE_FAULTS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "missing": ("seg/0001.png", remove, "no file .*seg/0001.png, which nyu_v2_3task.json lists in train"),
    "corrupt image": ("img/0001.png", corrupt, "img/0001.png is damaged or no image"),
    "cut normals": ("normal_mask/0001.png", truncate, "normal_mask/0001.png is damaged or no image"),
    "cut depth": ("depth/0001.npy", truncate, "depth/0001.npy is damaged or no .npy file"),
    "class 40": ("seg/0001.png", partial(put, value=40), "seg/0001.png has the class 40, expected 0 to 39 or 255"),
    "half image": ("img/0001.png", halve, r"img/0001.png is 240x640 .*, expected 480x640"),
    "half seg": ("seg/0001.png", halve, r"seg/0001.png is 240x640 .*, expected 480x640"),
    "half normals": ("normal_mask/0001.png", halve, r"normal_mask/0001.png is 240x640 .*, expected 480x640"),
    "half depth": ("depth/0001.npy", halve, r"depth/0001.npy has shape \(240, 640\), expected \(480, 640\)"),
    "coloured seg": ("seg/0001.png", lambda path: shutil.copy(path.parents[1] / "img/0001.png", path), "of mode RGB"),
    "no list": ("nyu_v2_3task.json", truncate, "nyu_v2_3task.json is damaged or no JSON"),
    "endless list": ("nyu_v2_3task.json", lambda path: path.write_text("[" * 100_000), "is damaged or no JSON"),
    "long name": (
        "nyu_v2_3task.json",
        relist(lambda x: x["test"][0].__setitem__(0, "x" * 5000 + ".png")),
        "no file .*xxx.png, which nyu_v2_3task.json lists in test",
    ),
    "no splits": ("nyu_v2_3task.json", relist(lambda x: {"all": x}), "json lists neither train nor test"),
    "no images": ("nyu_v2_3task.json", relist(lambda x: {"test": []}), "json: test is no list of images"),
    "three": ("nyu_v2_3task.json", relist(lambda x: x["test"][0].pop()), "json lists neither|has the entry"),
    "outside": (
        "nyu_v2_3task.json",
        relist(lambda x: x["test"][0].__setitem__(0, "../img/0000.png")),
        "test has the path '../img/0000.png', expected a .png file below",
    ),
    "twice": (
        "nyu_v2_3task.json",
        relist(lambda x: x["test"].append(x["test"][0])),
        "test has the image id '0002' twice",
    ),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("layout", "fault"), [("mtan", x) for x in MTAN_FAULTS] + [("adashare", x) for x in ADASHARE_FAULTS]
)
def test_wrong_file_is_named(layout: str, fault: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    published = request.getfixturevalue(layout)
    name, spoil, message = (MTAN_FAULTS if layout == "mtan" else ADASHARE_FAULTS)[fault]
    folder = tmp_path / "source"
    # Links: only the file that is spoiled is a copy.
    shutil.copytree(published, folder, copy_function=lambda a, b: Path(b).hardlink_to(a))
    (folder / name).unlink()
    shutil.copy(published / name, folder / name)
    spoil(folder / name)
    with pytest.raises(InputError, match=message) as caught:
        prepare(f"nyuv2-{layout}", folder, tmp_path / "out" / "x.h5", size=SMALL)
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path / "out") in ([], [".x.h5.parts"])


def test_a_mended_source_goes_on(mtan: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(mtan, tmp_path / "source"))
    truncate(folder / "val/image/1.npy")
    with pytest.raises(InputError, match="val/image/1.npy"):
        prepare("nyuv2-mtan", folder, tmp_path / "x.h5", size=SMALL)
    assert leftovers(tmp_path) == [".x.h5.parts", "source"]
    shutil.copy(mtan / "val/image/1.npy", folder / "val/image/1.npy")
    mended = prepare("nyuv2-mtan", folder, tmp_path / "x.h5", size=SMALL)
    whole = prepare("nyuv2-mtan", mtan, tmp_path / "y.h5", size=SMALL)
    for split in ("train", "test"):
        assert load_dataset(mended, split).fingerprint() == load_dataset(whole, split).fingerprint()
    assert leftovers(tmp_path) == ["source", "x.h5", "y.h5"]


def test_wrong_arguments(mtan: Path, adashare: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.h5"
    with pytest.raises(InputError, match="no folder .*nowhere: MTAN's NYUv2 has"):
        prepare("nyuv2-mtan", tmp_path / "nowhere", out)
    with pytest.raises(InputError, match="has neither train nor val: MTAN's NYUv2 has"):
        prepare("nyuv2-mtan", adashare, out)
    with pytest.raises(InputError, match="no folder .*img: AdaShare's NYUv2 has"):
        prepare("nyuv2-adashare", mtan, out)
    with pytest.raises(InputError, match="size 289x384, expected 1x1 to 288x384"):
        prepare("nyuv2-mtan", mtan, out, size=(289, 384))
    with pytest.raises(InputError, match="size 481x640, expected 1x1 to 480x640"):
        prepare("nyuv2-adashare", adashare, out, size=(481, 640))
    with pytest.raises(UnknownNameError, match="unknown option of nyuv2-mtan 'frames'; did you mean 'frame'"):
        prepare("nyuv2-mtan", mtan, out, frames="x,y,z")
    assert not leftovers(tmp_path)


def test_white_is_no_normal() -> None:
    assert (encode_adashare(np.zeros((2, 2, 3), np.int8)) == 255).all()

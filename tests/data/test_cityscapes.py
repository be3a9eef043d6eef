"""Cityscapes: classes and inverse depth are those of the published files; a wrong file is named."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from published_toys import (
    corrupt,
    disparity_codes,
    enlarge,
    halve,
    leftovers,
    put,
    remove,
    room,
    save_png,
    truncate,
    write_cityscapes,
)

from mtlattack.data import load_dataset, prepare, verify
from mtlattack.data.prepared import open_prepared
from mtlattack.data.sources.cityscapes import BASELINE, CLASSES, FOCAL, LABEL_IDS
from mtlattack.errors import InputError
from mtlattack.tasks import InverseDepth, Segmentation

SMALL = (16, 32)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cityscapes(tmp_path_factory.mktemp("cityscapes"))


def test_what_was_published_is_what_is_prepared(published: Path, tmp_path: Path) -> None:
    """At a sixteenth of its size every prepared pixel is one pixel of a room."""
    out = prepare("cityscapes", published, tmp_path / "x.h5", size=(64, 128))
    train_id = {number: k for k, number in enumerate(LABEL_IDS)}
    for split, city, rows in (("train", "aachen", (0, 1)), ("test", "lindau", (2,))):
        data = load_dataset(out, split)
        assert data.ids == [f"{city}_{row:06d}_000019" for row in rows]
        assert data.tasks == {"segmentation": Segmentation(19), "inverse_depth": InverseDepth()}
        assert data.class_names("segmentation") == list(CLASSES)
        with open_prepared(out) as file:
            images, classes = file[split]["image"][:], file[split]["segmentation"][:]
        for k, row in enumerate(rows):
            expected = {name: array[:64] for name, array in room(row).items()}
            assert np.array_equal(images[k], expected["image"])
            wanted = np.vectorize(lambda x: train_id.get(x, 255))(expected["segmentation"] * 2)
            assert np.array_equal(classes[k], wanted) and len(np.unique(wanted)) > 3
            codes = disparity_codes(expected["depth"])
            found = data[k].targets["inverse_depth"][0].numpy()
            assert np.array_equal(found == 0, codes <= 1)  # no disparity, and none to be seen
            metres = expected["depth"] / 1000
            assert np.abs(found[codes > 1] - 1 / metres[codes > 1]).max() < 2e-5
    assert verify(out, published).ok
    with open_prepared(out) as file:
        assert len(file["sources"]) == 3 * 4 and dict(file["test/inverse_depth"].attrs)["unit"] == "1/m"


def test_without_cameras_the_usual_one_is_taken(tmp_path: Path) -> None:
    folder = write_cityscapes(tmp_path / "source", (1, 1), camera=False)
    data = load_dataset(prepare("cityscapes", folder, tmp_path / "x.h5", size=(64, 128)), "test")
    codes = disparity_codes(room(1)["depth"][:64])
    expected = np.maximum(codes.astype(float) - 1, 0) / 256 / (BASELINE * FOCAL)
    assert np.abs(data[0].targets["inverse_depth"][0].numpy() - expected).max() <= 0.51e-5


def test_every_label_id(tmp_path: Path) -> None:
    """The 19 published training numbers, worked out from the list of those that are not evaluated."""
    folder = write_cityscapes(tmp_path / "source", (0, 1), camera=False)
    numbers = np.arange(64 * 128).reshape(64, 128) % 35
    numbers[numbers == 34] = 255
    path = next((folder / "gtFine").glob("val/*/*.png"))
    save_png(path, enlarge(numbers.astype(np.uint8), 16))
    data = load_dataset(prepare("cityscapes", folder, tmp_path / "x.h5", size=(64, 128)))
    ignored = {0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, 255}
    kept = [number for number in range(34) if number not in ignored]
    found = data[0].targets["segmentation"][0].numpy()
    assert np.array_equal(found, [[255 if x in ignored else kept.index(x) for x in row] for row in numbers])


STEM = "aachen/aachen_000001_000019"
IMAGE = f"leftImg8bit/train/{STEM}_leftImg8bit.png"
CLASSES_PNG = f"gtFine/train/{STEM}_gtFine_labelIds.png"
DISPARITY = f"disparity/train/{STEM}_disparity.png"
CAMERA = f"camera/train/{STEM}_camera.json"
FAULTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no classes": (CLASSES_PNG, remove, f"no file .*{CLASSES_PNG}, which belongs to aachen_000001_000019_leftImg8bit"),
    "no disparity": (DISPARITY, remove, f"no file .*{DISPARITY}, which belongs to"),
    "no camera": (CAMERA, remove, f"no file .*{CAMERA}, which belongs to"),
    "corrupt image": (IMAGE, corrupt, f"{IMAGE} is damaged or no image"),
    "cut classes": (CLASSES_PNG, truncate, f"{CLASSES_PNG} is damaged or no image"),
    "corrupt disparity": (DISPARITY, corrupt, f"{DISPARITY} is damaged or no image"),
    "half image": (IMAGE, halve, f"{IMAGE} is 512x2048 .*, expected 1024x2048"),
    "half classes": (CLASSES_PNG, halve, f"{CLASSES_PNG} is 512x2048 .*, expected 1024x2048"),
    "half disparity": (DISPARITY, halve, f"{DISPARITY} is 512x2048 .*, expected 1024x2048"),
    "class 34": (CLASSES_PNG, partial(put, value=34), f"{CLASSES_PNG} has the class 34, expected 0 to 33 or 255"),
    "8 bits": (DISPARITY, lambda path: save_png(path, np.ones((1024, 2048), np.uint8)), f"{DISPARITY} has 8 bits"),
    "no json": (CAMERA, truncate, f"{CAMERA} is damaged or no JSON"),
    "endless json": (CAMERA, lambda path: path.write_text("[" * 100_000), f"{CAMERA} is damaged or no JSON"),
    "list": (CAMERA, lambda path: path.write_text("[]"), f"{CAMERA} is damaged or no camera file"),
    "no baseline": (CAMERA, lambda path: path.write_text("{}"), f"{CAMERA} is .* no camera file .*extrinsic"),
    "baseline 0": (
        CAMERA,
        lambda path: path.write_text('{"extrinsic": {"baseline": 0}, "intrinsic": {"fx": 2000}}'),
        f"{CAMERA} has baseline 0.0 and fx 2000.0, expected positive numbers",
    ),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_file_is_named(fault: str, published: Path, tmp_path: Path) -> None:
    name, spoil, message = FAULTS[fault]
    folder = tmp_path / "source"
    # Links: only the file that is spoiled is a copy.
    shutil.copytree(published, folder, copy_function=lambda a, b: Path(b).hardlink_to(a))
    (folder / name).unlink()
    shutil.copy(published / name, folder / name)
    spoil(folder / name)
    # The first image is sound; it is kept where the fault shows only when the second is read.
    with pytest.raises(InputError, match=message) as caught:
        prepare("cityscapes", folder, tmp_path / "out" / "x.h5", size=SMALL, splits="train")
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path / "out") == ([] if spoil is remove else [".x.h5.parts"])


def test_wrong_folders(published: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder .*nowhere: Cityscapes has leftImg8bit"):
        prepare("cityscapes", tmp_path / "nowhere", tmp_path / "x.h5")
    (tmp_path / "empty" / "leftImg8bit").mkdir(parents=True)
    with pytest.raises(InputError, match="has neither train nor val: Cityscapes has"):
        prepare("cityscapes", tmp_path / "empty", tmp_path / "x.h5")
    (tmp_path / "empty" / "leftImg8bit" / "val").mkdir()
    with pytest.raises(InputError, match=r"no file .*val/<city>/\*_leftImg8bit.png"):
        prepare("cityscapes", tmp_path / "empty", tmp_path / "x.h5")
    with pytest.raises(InputError, match="size 1025x2048, expected 1x1 to 1024x2048"):
        prepare("cityscapes", published, tmp_path / "x.h5", size=(1025, 2048))
    assert leftovers(tmp_path) == ["empty"]

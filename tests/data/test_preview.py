"""The panel shows each image with each label, in colours that mean the same in every row."""

from pathlib import Path

import numpy as np
import pytest
from data_toys import write_toy
from PIL import Image

from mtlattack.data import load_dataset
from mtlattack.data.previewing import preview
from mtlattack.errors import InputError
from mtlattack.tasks import Segmentation
from mtlattack.tasks.painting import class_colours


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy") / "toy.h5")


def test_panel_of_all_labels(toy: Path, tmp_path: Path) -> None:
    path = preview(load_dataset(toy), tmp_path / "new" / "panel.png", count=2)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[1] > 2000  # image and nine labels side by side
    for colour in class_colours(3):
        assert (np.abs(pixels - colour * 255).max(-1) < 2).any()


def test_more_rows_are_higher_and_no_more_than_there_are(toy: Path, tmp_path: Path) -> None:
    heights, data = [], load_dataset(toy, tasks={"segmentation": Segmentation(5)})
    for count in (1, 5, 50):
        with Image.open(preview(data, tmp_path / f"{count}.png", count)) as picture:
            heights.append(picture.height)
    assert heights[0] < heights[1] == heights[2]


def test_classes_without_names_and_without_labels(toy: Path, tmp_path: Path) -> None:
    data = load_dataset(toy, tasks={"segmentation": Segmentation(5)})
    assert preview(data, tmp_path / "panel.png", 1).is_file()


def test_colours_tell_classes_and_unlabelled_pixels_apart() -> None:
    colours = class_colours(40)
    assert len({tuple(colour) for colour in colours}) == 40
    assert np.abs(colours - 0.85).max(1).min() > 0.1
    assert class_colours(300).shape == (300, 3)


def test_wrong_arguments(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="count 0"):
        preview(load_dataset(toy), tmp_path / "x.png", 0)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        preview(load_dataset(toy), tmp_path / "file" / "x.png")

"""Cityscapes: street scenes of 1024 × 2048 pixels with 19 classes and the disparity of a stereo pair."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.account import Drops
from mtlattack.data.labels import IGNORE
from mtlattack.data.sources.encode import encode_scaled
from mtlattack.data.sources.files import check_classes, find_folder, read_gray, read_image, read_json
from mtlattack.data.sources.images import Arrays, Header, SourceImage, choose_splits, write_images
from mtlattack.data.sources.registry import SOURCES
from mtlattack.data.sources.resample import average, check_size, pick
from mtlattack.data.writing import INVERSE_DEPTH_LABEL, segmentation_label
from mtlattack.errors import InputError

HEIGHT, WIDTH = 1024, 2048
CLASSES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain",
    "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip
"""The 19 that are evaluated, in the order of their training numbers."""
LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""Their numbers in *_labelIds.png, which go from 0 to 33; the others, and the licence plate's −1 = 255, are ignored."""
BASELINE, FOCAL = 0.209313, 2262.52
"""Metres between the cameras, and focal length in pixels: the usual ones, for where the camera's file is not there."""

_TRAIN_IDS = np.full(256, IGNORE, np.uint8)
_TRAIN_IDS[list(LABEL_IDS)] = np.arange(len(CLASSES))
_HIGHEST_ID = 33
_SPLITS = {"train": "train", "test": "val"}
_HEADER = Header(
    "cityscapes",
    "research use; not for redistribution",
    "Cordts et al. The Cityscapes Dataset for Semantic Urban Scene Understanding. CVPR 2016",
)
_WHAT = "Cityscapes has leftImg8bit, gtFine and disparity, each with train|val/<city>/"


@SOURCES.register("cityscapes")
def prepare_cityscapes(
    source: Path, out: Path, *, size: tuple[int, int] = (128, 256), splits: Sequence[str] | str | None = None
) -> Path:
    """Write Cityscapes as a prepared file and return its path.

    Labels: `segmentation` (19 classes) and `inverse_depth` in 1/m: disparity / (baseline · focal length), 0 where there
    is no disparity or it is 0. Its `val` is the split `test`, since the labels of its own `test` are not published. An
    id is a file's name up to `_leftImg8bit.png`, such as `frankfurt_000000_000294`.

    Args:
        source: folder with `leftImg8bit/`, `gtFine/` and `disparity/`, as published; `camera/` is used if it is there.
        out: the prepared file; replaced if it is there.
        size: (height, width), at most 1024 × 2048. The default is that of MTAN and of most papers on several tasks.
        splits: "train", "test"; by default those that are there.

    Raises:
        InputError: a file is missing, damaged, of another size, or has a class that there is not.
    """
    check_size(size, (HEIGHT, WIDTH))
    images = find_folder(find_folder(source, _WHAT) / "leftImg8bit", _WHAT)
    there = {split: images / folder for split, folder in _SPLITS.items() if (images / folder).is_dir()}
    if not there:
        raise InputError(f"{images} has neither train nor val: {_WHAT}")
    chosen = choose_splits(there, splits, "cityscapes")
    with_camera = (source / "camera").is_dir()
    found = {
        split: [_source_image(source, path, with_camera, size) for path in _list_images(folder)]
        for split, folder in chosen.items()
    }
    labels = {"segmentation": segmentation_label(CLASSES), "inverse_depth": INVERSE_DEPTH_LABEL}
    return write_images(out, _HEADER, found, labels, size=size, root=source)


@dataclass(frozen=True)
class _Files:
    image: Path
    classes: Path
    disparity: Path
    camera: Path | None


def _list_images(folder: Path) -> list[Path]:
    images = sorted(folder.glob("*/*_leftImg8bit.png"))
    if not images:
        raise InputError(f"no file {folder}/<city>/*_leftImg8bit.png: {_WHAT}")
    return images


def _source_image(source: Path, image: Path, with_camera: bool, size: tuple[int, int]) -> SourceImage:
    """The image with the files that belong to it, which must be there."""
    split, city = image.parts[-3:-1]
    name = image.name.removesuffix("_leftImg8bit.png")

    def sibling(kind: str, suffix: str) -> Path:
        path = source / kind / split / city / f"{name}_{suffix}"
        if not path.is_file():
            raise InputError(f"no file {path}, which belongs to {image.name}")
        return path

    files = _Files(
        image,
        sibling("gtFine", "gtFine_labelIds.png"),
        sibling("disparity", "disparity.png"),
        sibling("camera", "camera.json") if with_camera else None,
    )
    paths = (files.image, files.classes, files.disparity, *([files.camera] if files.camera else []))
    return SourceImage(name, paths, partial(_read, files, size))


def _read(files: _Files, size: tuple[int, int], drops: Drops) -> Arrays:
    disparity = pick(_read_disparity(files.disparity), size)
    baseline, focal = (BASELINE, FOCAL) if files.camera is None else _read_camera(files.camera)
    scale = INVERSE_DEPTH_LABEL.attributes["scale"]
    return {
        "image": average(read_image(files.image, size=(HEIGHT, WIDTH)), size),
        "segmentation": pick(_read_classes(files.classes), size),
        "inverse_depth": encode_scaled(disparity / (baseline * focal), scale, drops.dropped("inverse_depth")),
    }


def _read_classes(path: Path) -> NDArray[np.uint8]:
    numbers = read_gray(path, size=(HEIGHT, WIDTH))
    check_classes(path, numbers, _HIGHEST_ID + 1, IGNORE)
    return _TRAIN_IDS[numbers]


def _read_disparity(path: Path) -> NDArray[np.float64]:
    """Disparity in pixels of the full frame, 0 = invalid: (p − 1)/256 for a stored p > 0."""
    stored = read_gray(path, size=(HEIGHT, WIDTH))
    if stored.dtype != np.uint16:
        raise InputError(f"{path} has 8 bits, expected 16")
    return np.maximum(stored.astype(np.float64) - 1, 0) / 256


def _read_camera(path: Path) -> tuple[float, float]:
    """Baseline in metres and horizontal focal length in pixels."""
    content = read_json(path)
    try:
        baseline, focal = float(content["extrinsic"]["baseline"]), float(content["intrinsic"]["fx"])
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise InputError(f"{path} is damaged or no camera file ({type(error).__name__}: {error})") from None
    if not (0 < baseline < np.inf and 0 < focal < np.inf):
        raise InputError(f"{path} has baseline {baseline} and fx {focal}, expected positive numbers")
    return baseline, focal

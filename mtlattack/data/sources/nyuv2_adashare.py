"""NYUv2 as AdaShare published it, and DGBA's authors use it: PNGs of 480 × 640 pixels, 40 classes, depth as .npy."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.account import Drops
from mtlattack.data.labels import IGNORE
from mtlattack.data.sources.encode import encode_depth, encode_normals
from mtlattack.data.sources.files import check_classes, find_folder, read_gray, read_image, read_json, read_npy
from mtlattack.data.sources.geometry import normals_from_depth
from mtlattack.data.sources.images import Arrays, Header, SourceImage, choose_splits, paired_files, write_images
from mtlattack.data.sources.normals import CHECKED_IMAGES, Frame, choose_frame, read_normals, read_vectors, unit_normals
from mtlattack.data.sources.nyuv2 import CAMERA, CITATION, HEIGHT, LICENSE, WIDTH
from mtlattack.data.sources.registry import SOURCES
from mtlattack.data.sources.resample import average, check_size, pick, picked
from mtlattack.data.writing import DEPTH_LABEL, normals_label, segmentation_label
from mtlattack.errors import InputError

FRAME = "x,z,-y"
CLASSES = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter",
    "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat", "clothes", "ceiling", "books",
    "refridgerator", "television", "paper", "towel", "shower curtain", "box", "whiteboard", "person", "night stand",
    "toilet", "sink", "lamp", "bathtub", "bag", "otherstructure", "otherfurniture", "otherprop",
)  # fmt: skip
"""As in classMapping40.mat, whose spelling this is; the published images carry the same numbers, less 1."""

_LIST = "nyu_v2_3task.json"
_FOLDERS = {"img": ".png", "seg": ".png", "normal_mask": ".png", "depth": ".npy"}
_SPLITS = ("train", "test")
_HEADER = Header("nyuv2-adashare", LICENSE, f"{CITATION}; as published with Sun et al. AdaShare. NeurIPS 2020")
_WHAT = f"AdaShare's NYUv2 has {_LIST}, or the folders img, seg, normal_mask and depth"
Paths = tuple[Path, ...]


@SOURCES.register("nyuv2-adashare")
def prepare_nyuv2_adashare(
    source: Path,
    out: Path,
    *,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    splits: Sequence[str] | str | None = None,
    frame: str = FRAME,
) -> Path:
    """Write AdaShare's NYUv2 as a prepared file and return its path.

    Labels: `segmentation` (40 classes), `depth` (metres, 0 = invalid) and `normals`, the published ones (white, grey
    and black pixels are none). Ids are the file names, which count from 0: 0061 is the official image 0062.

    Args:
        source: folder with a JSON list, `{"train": […], "test": […]}`, of the relative paths of image, classes,
            normals and depth of each image. Without one, the folders `img`, `seg`, `normal_mask` and `depth` are the
            list, of the split `test`.
        out: the prepared file; replaced if it is there.
        size: (height, width), at most 480 × 640.
        splits: "train", "test"; by default those that are there.
        frame: what the channels of the normals are in our frame (x right, y down, z forward); "auto" takes what fits
            the first images. Either way those must fit the normals that are derived from depth.

    Raises:
        InputError: a file is missing, damaged, of another size or range, or the normals fit no frame or another.
    """
    check_size(size, (HEIGHT, WIDTH))
    find_folder(source, _WHAT)
    lists = sorted(source.glob("*.json"))
    listed = source / _LIST if source / _LIST in lists else next(iter(lists), None)
    if listed is None:
        found = {"test": list(paired_files({source / x: suffix for x, suffix in _FOLDERS.items()}, _WHAT).values())}
    else:
        found = _read_list(listed)
    found = choose_splits(found, splits, "nyuv2-adashare")
    first = next(iter(found.values()))
    pairs = ((_read_normals(paths[2], _CHECKED), _derive(paths[3])) for paths in islice(first, CHECKED_IMAGES))
    chosen = choose_frame(frame, pairs, first[0][2].parent)
    images = {
        split: [SourceImage(paths[0].stem, paths, partial(_read, paths, chosen, size)) for paths in items]
        for split, items in found.items()
    }
    labels = {
        "segmentation": segmentation_label(CLASSES),
        "depth": DEPTH_LABEL,
        "normals": normals_label(derived=False, source_frame=chosen.text),
    }
    files = () if listed is None else (listed,)
    return write_images(out, _HEADER, images, labels, size=size, root=source, files=files)


def _read_list(path: Path) -> dict[str, list[Paths]]:
    """The four paths of each image of each split that is listed; all are below the list's folder and are there."""
    content = read_json(path)
    splits = [split for split in _SPLITS if split in content] if isinstance(content, Mapping) else []
    if not splits:
        raise InputError(f"{path} lists neither train nor test")
    return {split: [_entry(path, split, entry) for entry in _entries(path, split, content[split])] for split in splits}


def _entries(path: Path, split: str, entries: Any) -> list[Any]:
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: {split} is no list of images")
    return entries


def _entry(path: Path, split: str, entry: Any) -> Paths:
    if not (isinstance(entry, list) and len(entry) == len(_FOLDERS) and all(isinstance(x, str) for x in entry)):
        raise InputError(f"{path}: {split} has the entry {entry!r}, expected the paths of {', '.join(_FOLDERS)}")
    names = [PurePosixPath(name) for name in entry]
    for name, suffix in zip(names, _FOLDERS.values(), strict=True):
        if name.is_absolute() or ".." in name.parts or name.suffix != suffix:
            raise InputError(
                f"{path}: {split} has the path {str(name)!r}, expected a {suffix} file below {path.parent}"
            )
        if not os.path.isfile(path.parent / name):
            raise InputError(f"no file {path.parent / name}, which {path.name} lists in {split}")
    return tuple(path.parent / name for name in names)


def _read(paths: Paths, frame: Frame, size: tuple[int, int], drops: Drops) -> Arrays:
    image, classes, normals, depth = paths
    return {
        "image": average(read_image(image, size=(HEIGHT, WIDTH)), size),
        "segmentation": pick(_read_classes(classes), size),
        "depth": encode_depth(pick(_read_depth(depth), size), drops.dropped("depth")),
        "normals": encode_normals(frame.to_ours(_kept_normals(normals, size, drops))),
    }


def _read_classes(path: Path) -> NDArray[np.uint8]:
    classes = read_gray(path, size=(HEIGHT, WIDTH))
    check_classes(path, classes, len(CLASSES), IGNORE)
    return classes.astype(np.uint8)


def _read_depth(path: Path) -> NDArray[np.float64]:
    return read_npy(path, shape=(HEIGHT, WIDTH)).astype(np.float64)


def _read_normals(path: Path, size: tuple[int, int]) -> NDArray[np.float64]:
    return pick(read_normals(path, (HEIGHT, WIDTH)), size)


def _kept_normals(path: Path, size: tuple[int, int], drops: Drops) -> NDArray[np.float64]:
    raw = pick(read_vectors(path, (HEIGHT, WIDTH)), size)
    return unit_normals(raw, none=drops.none("normals"), drop=drops.dropped("normals"))


_CHECKED = (HEIGHT // 4, WIDTH // 4)
"""The frame is checked on every fourth pixel."""


def _derive(path: Path) -> NDArray[np.float64]:
    return normals_from_depth(_read_depth(path), CAMERA, picked(_CHECKED[0], HEIGHT), picked(_CHECKED[1], WIDTH))

"""NYUv2 as MTAN published it, and LibMTL and Auto-λ use it: arrays of 288 × 384 pixels, 13 classes."""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.account import Drops
from mtlattack.data.labels import IGNORE
from mtlattack.data.sources.encode import encode_depth, encode_normals
from mtlattack.data.sources.files import check_classes, find_folder, read_npy
from mtlattack.data.sources.geometry import Intrinsics, normals_from_depth
from mtlattack.data.sources.images import Arrays, Header, SourceImage, choose_splits, paired_files, write_images
from mtlattack.data.sources.normals import (
    AUTO,
    CHECKED_IMAGES,
    Frame,
    choose_frame,
    read_normals,
    read_vectors,
    unit_normals,
)
from mtlattack.data.sources.nyuv2 import CAMERA, CITATION, LICENSE
from mtlattack.data.sources.nyuv2 import HEIGHT as FULL_HEIGHT
from mtlattack.data.sources.registry import SOURCES
from mtlattack.data.sources.resample import average, check_size, pick, picked
from mtlattack.data.writing import DEPTH_LABEL, normals_label, segmentation_label
from mtlattack.errors import InputError

HEIGHT, WIDTH = 288, 384
CLASSES = 13
_SPLITS = {"train": "train", "test": "val"}
_FOLDERS = ("image", "label", "depth", "normal")
_HEADER = Header("nyuv2-mtan", LICENSE, f"{CITATION}; as published with Liu, Johns, Davison. MTAN. CVPR 2019")
_WHAT = "MTAN's NYUv2 has train and val, each with image, label, depth and normal/<number>.npy"
_ZOOM = HEIGHT / FULL_HEIGHT
# Its frames were cropped a little before they were scaled, nobody says by how much; this is near enough for a check.
_CAMERA = Intrinsics(CAMERA.fx * _ZOOM, CAMERA.fy * _ZOOM, CAMERA.cx * _ZOOM, CAMERA.cy * _ZOOM)


@SOURCES.register("nyuv2-mtan")
def prepare_nyuv2_mtan(
    source: Path,
    out: Path,
    *,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    splits: Sequence[str] | str | None = None,
    frame: str = AUTO,
) -> Path:
    """Write MTAN's NYUv2 as a prepared file and return its path.

    Labels: `segmentation` (13 classes, −1 = ignore), `depth` (metres, 0 = invalid) and `normals`, the published ones,
    which its authors took from Eigen and Fergus (ICCV 2015). Its `val` is the split `test`; ids are the file numbers.

    Args:
        source: folder with `train` and `val`, each with `image`, `label`, `depth` and `normal`, and in each of these
            `0.npy`, `1.npy`, ….
        out: the prepared file; replaced if it is there.
        size: (height, width), at most 288 × 384.
        splits: "train", "test"; by default those that are there.
        frame: what the channels of the normals are in our frame (x right, y down, z forward), such as "x,y,z". It is
            published nowhere; "auto" takes the frame in which the normals of the first images fit those derived from
            depth. Either way they must fit. It is recorded as the normals' attribute `source_frame`.

    Raises:
        InputError: a file is missing, damaged, of another shape or range, or the normals fit no frame or another.
    """
    check_size(size, (HEIGHT, WIDTH))
    find_folder(source, _WHAT)
    there = {split: source / folder for split, folder in _SPLITS.items() if (source / folder).is_dir()}
    if not there:
        raise InputError(f"{source} has neither train nor val: {_WHAT}")
    found = {
        split: list(paired_files({folder / kind: ".npy" for kind in _FOLDERS}, _WHAT).items())
        for split, folder in choose_splits(there, splits, "nyuv2-mtan").items()
    }
    first = next(iter(found.values()))
    pairs = ((pick(_read_normals(paths[3]), _CHECKED), _derive(paths[2])) for _, paths in islice(first, CHECKED_IMAGES))
    chosen = choose_frame(frame, pairs, first[0][1][3].parent)
    images = {
        split: [SourceImage(f"{stem:>04}", paths, partial(_read, paths, chosen, size)) for stem, paths in items]
        for split, items in found.items()
    }
    labels = {
        "segmentation": segmentation_label(CLASSES),
        "depth": DEPTH_LABEL,
        "normals": normals_label(derived=False, source_frame=chosen.text),
    }
    return write_images(out, _HEADER, images, labels, size=size, root=source)


def _read(paths: Sequence[Path], frame: Frame, size: tuple[int, int], drops: Drops) -> Arrays:
    image, label, depth, normal = paths
    return {
        "image": average(_read_image(image), size),
        "segmentation": pick(_read_classes(label), size),
        "depth": encode_depth(pick(_read_depth(depth), size), drops.dropped("depth")),
        "normals": encode_normals(frame.to_ours(_kept_normals(normal, size, drops))),
    }


def _read_image(path: Path) -> NDArray[np.uint8]:
    image = read_npy(path, shape=(HEIGHT, WIDTH, 3))
    # Not `or`: NaN is neither below nor above.
    if not (image.min() >= 0 and image.max() <= 1):
        raise InputError(f"{path} has values from {image.min():.3g} to {image.max():.3g}, expected 0 to 1")
    return np.rint(image.astype(np.float64) * 255).astype(np.uint8)


def _read_classes(path: Path) -> NDArray[np.uint8]:
    label = read_npy(path, shape=(HEIGHT, WIDTH))
    check_classes(path, label, CLASSES, ignore=-1)
    if (label != np.rint(label)).any():
        raise InputError(f"{path} holds class numbers that are not whole")
    return np.where(label < 0, IGNORE, label).astype(np.uint8)


def _read_depth(path: Path) -> NDArray[np.float64]:
    return read_npy(path, shape=(HEIGHT, WIDTH, 1))[..., 0].astype(np.float64)


def _read_normals(path: Path) -> NDArray[np.float64]:
    return read_normals(path, (HEIGHT, WIDTH))


def _kept_normals(path: Path, size: tuple[int, int], drops: Drops) -> NDArray[np.float64]:
    raw = pick(read_vectors(path, (HEIGHT, WIDTH)), size)
    return unit_normals(raw, none=drops.none("normals"), drop=drops.dropped("normals"))


_CHECKED = (HEIGHT // 3, WIDTH // 3)
"""The frame is checked on every third pixel."""


def _derive(path: Path) -> NDArray[np.float64]:
    rows, columns = picked(_CHECKED[0], HEIGHT), picked(_CHECKED[1], WIDTH)
    return normals_from_depth(_read_depth(path), _CAMERA, rows, columns, window=13)

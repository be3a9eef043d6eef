"""NYUv2's labelled set from its official files: 1,449 indoor images with depth and classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.data.account import Drops
from mtlattack.data.sources.encode import encode_depth, encode_normals
from mtlattack.data.sources.files import find_folder
from mtlattack.data.sources.geometry import Intrinsics, normals_from_depth
from mtlattack.data.sources.images import Arrays, Header, SourceImage, choose_splits, write_images
from mtlattack.data.sources.normals import (
    AUTO,
    CHECKED_IMAGES,
    Frame,
    Vectors,
    choose_frame,
    read_normals,
    read_vectors,
    unit_normals,
)
from mtlattack.data.sources.nyuv2_classes import ClassTables, check_raw_names, read_class_tables
from mtlattack.data.sources.registry import SOURCES
from mtlattack.data.sources.resample import average, check_size, pick, picked
from mtlattack.data.writing import DEPTH_LABEL, Label, normals_label, segmentation_label
from mtlattack.errors import InputError, one_line
from mtlattack.hdf5 import reading
from mtlattack.reading.matlab import find_mat, open_mat73, read_mat

HEIGHT, WIDTH = 480, 640
CAMERA = Intrinsics(fx=518.857901, fy=519.469611, cx=325.582449 - 1, cy=253.736166 - 1)
"""Of the colour camera, from the data set's toolbox; less 1, because MATLAB counts pixels from 1."""

LICENSE = "research use; not for redistribution"
CITATION = "Silberman, Hoiem, Kohli, Fergus. Indoor Segmentation and Support Inference from RGBD Images. ECCV 2012"
_HEADER = Header("nyuv2", LICENSE, CITATION)
_SPLITS = {"train": "trainNdxs", "test": "testNdxs"}
_FILES = {
    "nyu_depth_v2_labeled": "the labelled data set (2.8 GB), published with NYU Depth V2",
    "splits": "the official split (trainNdxs, testNdxs), published with NYU Depth V2",
    "classMapping40": "the table from its 894 classes to 40 (Gupta, Arbelaez, Malik, CVPR 2013)",
    "class13Mapping": "the table from 40 classes to 13 (Couprie et al. 2013), as SceneNet publishes it",
}


@SOURCES.register("nyuv2")
def prepare_nyuv2(
    source: Path,
    out: Path,
    *,
    size: tuple[int, int] = (120, 160),
    splits: Sequence[str] | str = ("train", "test"),
    normals: str | Path | None = None,
    frame: str = AUTO,
) -> Path:
    """Write NYUv2's labelled set as a prepared file and return its path.

    Labels: `segmentation` (13 classes), `segmentation40`, `depth` (millimetres of the in-painted depth) and `normals`,
    by default derived from it: a plane fitted to inverse depth over 21 × 21 pixels of the full frame. Images are
    averaged over area, labels are the pixels under the new pixels' centres. An image's id is its number in the
    official file, from 0001, and the images of a split come in that order.

    Args:
        source: folder with `nyu_depth_v2_labeled.mat`, `splits.mat`, `classMapping40.mat` and `class13Mapping.mat`, or
            the first of them, with the others beside it. A suffix such as `nyu_depth_v2_labeled_subset.mat` is fine.
        out: the prepared file; replaced if it is there.
        size: (height, width), at most 480 × 640. The default is that of the networks and tables that ship.
        splits: which splits to write.
        normals: folder with normals of 480 × 640 pixels to take instead, one `<id>.npy` or `<id>.png` an image.
        frame: what the channels of these are in our frame, such as "x,z,-y"; by default the frame in which those of
            the first images fit the derived ones. They must fit either way.

    Raises:
        InputError: a file is missing, truncated, or does not fit the others. What is finished by then is kept.
    """
    check_size(size, (HEIGHT, WIDTH))
    if normals is None and frame != AUTO:
        raise InputError(f"frame {frame!r} is that of normals from a folder: say `normals` too")
    names = list(choose_splits(_SPLITS, splits, "nyuv2"))
    paths = _find_files(source)
    classes = read_class_tables(paths["classMapping40"], paths["class13Mapping"])
    with open_mat73(paths["nyu_depth_v2_labeled"]) as file:
        with reading(paths["nyu_depth_v2_labeled"]):
            count = _check_arrays(file)
            check_raw_names(file, classes, paths["classMapping40"])
        rows = _read_splits(paths["splits"], count)
        chosen = [row for split in names for row in rows[split]]
        own = None if normals is None else _OwnNormals.find(Path(normals), chosen, frame, file)
        images = {split: [_source_image(file, row, classes, own, size) for row in rows[split]] for split in names}
        root = paths["nyu_depth_v2_labeled"].parent
        return write_images(
            out, _HEADER, images, _labels(classes, own), size=size, root=root, files=list(paths.values())
        )


def _labels(classes: ClassTables, own: "_OwnNormals | None") -> dict[str, Label]:
    return {
        "segmentation": segmentation_label(classes.names13),
        "segmentation40": segmentation_label(classes.names40),
        "depth": DEPTH_LABEL,
        "normals": normals_label(derived=True)
        if own is None
        else normals_label(derived=False, source_frame=own.frame.text),
    }


@dataclass(frozen=True)
class _OwnNormals:
    """Normals from a folder: the file of each row, and the frame they are in."""

    paths: dict[int, Path]
    frame: Frame

    @staticmethod
    def find(folder: Path, rows: Sequence[int], frame: str, file: h5py.File) -> "_OwnNormals":
        find_folder(folder, "normals of NYUv2")
        paths = {row: _normals_path(folder, row) for row in rows}
        every_fourth = HEIGHT // 4, WIDTH // 4
        pairs = (
            (pick(read_normals(paths[row], (HEIGHT, WIDTH)), every_fourth), _derive(_read(file, row)[1], every_fourth))
            for row in rows[:CHECKED_IMAGES]
        )
        return _OwnNormals(paths, choose_frame(frame, pairs, folder))

    def read(self, row: int, size: tuple[int, int], drops: Drops) -> Vectors:
        raw = pick(read_vectors(self.paths[row], (HEIGHT, WIDTH)), size)
        return self.frame.to_ours(unit_normals(raw, none=drops.none("normals"), drop=drops.dropped("normals")))


def _find_files(source: Path) -> dict[str, Path]:
    if not source.exists():
        raise InputError(f"no file or folder {source}")
    folder = source if source.is_dir() else source.parent
    given = {} if source.is_dir() else {"nyu_depth_v2_labeled": source}
    return {stem: given.get(stem) or find_mat(folder, stem, what) for stem, what in _FILES.items()}


def _check_arrays(file: h5py.File) -> int:
    """Number of images, if the arrays are there, of the official frame and equally many."""
    for name in ("images", "depths", "labels", "names"):
        if name not in file or not isinstance(file[name], h5py.Dataset):
            raise InputError(f"{file.filename} has no variable {name!r}")
    count = len(file["images"]) if file["images"].ndim else 0
    for name, channels, dtype in (("images", (3,), "uint8"), ("depths", (), "float32"), ("labels", (), "uint16")):
        # MATLAB's [height, width, …, image], in reverse.
        shape = (count, *channels, WIDTH, HEIGHT)
        if file[name].shape != shape or file[name].dtype != dtype:
            found = f"{file[name].dtype} {file[name].shape}"
            raise InputError(f"{file.filename}: {name} is {found}, expected {dtype} {shape} as published")
    return int(count)


def _read_splits(path: Path, count: int) -> dict[str, list[int]]:
    """Rows (from 0) of the images of each split, in order."""
    variables = read_mat(path, *_SPLITS.values())
    splits = {}
    for split, name in _SPLITS.items():
        numbers = np.ravel(variables[name])
        if not numbers.size or numbers.dtype.kind not in "iuf" or numbers.min() < 1 or numbers.max() > count:
            raise InputError(f"{path}: {name} does not hold image numbers from 1 to {count}")
        splits[split] = sorted(int(number) - 1 for number in numbers)
    everything = [row for rows in splits.values() for row in rows]
    if len(set(everything)) != len(everything):
        raise InputError(f"{path} names an image twice")
    return splits


def _normals_path(folder: Path, row: int) -> Path:
    places = [folder / f"{_identity(row)}{suffix}" for suffix in (".npy", ".png")]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise InputError(f"{folder} has neither {places[0].name} nor {places[1].name}: the normals of that image")
    return found


def _identity(row: int) -> str:
    return f"{row + 1:04d}"


def _source_image(
    file: h5py.File, row: int, classes: ClassTables, own: _OwnNormals | None, size: tuple[int, int]
) -> SourceImage:
    files = () if own is None else (own.paths[row],)
    return SourceImage(_identity(row), files, partial(_read_image, file, row, classes, own, size))


def _read_image(
    file: h5py.File, row: int, classes: ClassTables, own: _OwnNormals | None, size: tuple[int, int], drops: Drops
) -> Arrays:
    """Image number `row` with all its labels, in the prepared form."""
    image, depth, label = _read(file, row)
    if label.max() >= len(classes.to40):
        where = f"{file.filename}: image {_identity(row)}"
        raise InputError(f"{where} has the class {label.max()}, expected 0 to {len(classes.to40) - 1}")
    raw = pick(label, size)
    return {
        "image": average(image, size),
        "segmentation": classes.to13[raw],
        "segmentation40": classes.to40[raw],
        "depth": encode_depth(pick(depth, size), drops.dropped("depth")),
        "normals": encode_normals(_derive(depth, size) if own is None else own.read(row, size, drops)),
    }


def _read(file: h5py.File, row: int) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.uint16]]:
    """Image `[480, 640, 3]`, depth in metres and raw classes of an image number; InputError if they are damaged."""
    try:
        image, depth, label = (file[name][row].T for name in ("images", "depths", "labels"))
    except (OSError, RuntimeError, ValueError) as error:  # what h5py raises over damaged chunks
        raise InputError(f"{file.filename}: image {_identity(row)} cannot be read ({one_line(error)})") from None
    return image, depth.astype(np.float64), label


def _derive(depth: NDArray[np.float64], size: tuple[int, int]) -> Vectors:
    return normals_from_depth(depth, CAMERA, picked(size[0], HEIGHT), picked(size[1], WIDTH))

"""NYUv2's labelled set from its official files: 1,449 indoor images with depth and classes."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.data.labels import IGNORE
from mtlattack.data.sources.geometry import Intrinsics, normals_from_depth
from mtlattack.data.sources.matlab import find_mat, open_mat73, read_mat, strings_of, strings_of_73
from mtlattack.data.sources.registry import SOURCES
from mtlattack.data.sources.resample import average, check_size, pick, picked
from mtlattack.data.writing import DEPTH_LABEL, NORMALS_LABEL, Label, PreparedWriter, segmentation_label
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.progress import progress_bar

HEIGHT, WIDTH = 480, 640
CAMERA = Intrinsics(fx=518.857901, fy=519.469611, cx=325.582449 - 1, cy=253.736166 - 1)
"""Of the colour camera, from the data set's toolbox; less 1, because MATLAB counts pixels from 1."""

_LICENSE = "research use; not for redistribution"
_CITATION = "Silberman, Hoiem, Kohli, Fergus. Indoor Segmentation and Support Inference from RGBD Images. ECCV 2012"
_SPLITS = {"train": "trainNdxs", "test": "testNdxs"}
_FILES = {
    "nyu_depth_v2_labeled": "the labelled data set (2.8 GB), published with NYU Depth V2",
    "splits": "the official split (trainNdxs, testNdxs), published with NYU Depth V2",
    "classMapping40": "the table from its 894 classes to 40 (Gupta, Arbelaez, Malik, CVPR 2013)",
    "class13Mapping": "the table from 40 classes to 13 (Couprie et al. 2013), as SceneNet publishes it",
}


@SOURCES.register("nyuv2")
def prepare_nyuv2(
    source: Path, out: Path, *, size: tuple[int, int] = (120, 160), splits: Sequence[str] = ("train", "test")
) -> Path:
    """Write NYUv2's labelled set as a prepared file and return its path.

    Labels: `segmentation` (13 classes), `segmentation40`, `depth` (millimetres of the in-painted depth) and `normals`,
    which are derived from it: a plane fitted to inverse depth over 21 × 21 pixels of the full frame. Images are
    averaged over area, labels are the pixels under the new pixels' centres. An image's id is its number in the
    official file, from 0001, and the images of a split come in that order.

    Args:
        source: folder with `nyu_depth_v2_labeled.mat`, `splits.mat`, `classMapping40.mat` and `class13Mapping.mat`, or
            the first of them, with the others beside it. A suffix such as `nyu_depth_v2_labeled_subset.mat` is fine.
        out: the prepared file; replaced if it is there.
        size: (height, width), at most 480 × 640. The default is that of the networks and tables that ship.
        splits: which splits to write.

    Raises:
        InputError: a file is missing, truncated, or does not fit the others. Nothing is written then.
    """
    check_size(size, (HEIGHT, WIDTH))
    for split in splits:
        if split not in _SPLITS:
            raise UnknownNameError("split of nyuv2", split, _SPLITS)
    paths = _find_files(source)
    classes = _read_classes(paths["classMapping40"], paths["class13Mapping"])
    with open_mat73(paths["nyu_depth_v2_labeled"]) as file:
        count = _check_arrays(file)
        _check_names(file, classes, paths["classMapping40"])
        rows = _read_splits(paths["splits"], count)
        with ExitStack() as stack:
            writer = stack.enter_context(
                PreparedWriter(out, name="nyuv2", size=size, license=_LICENSE, citation=_CITATION)
            )
            bar = stack.enter_context(progress_bar("preparing nyuv2", sum(len(rows[split]) for split in splits)))
            for split in splits:
                writer.add_split(split, [f"{row + 1:04d}" for row in rows[split]], classes.labels())
                for position, row in enumerate(rows[split]):
                    writer.write(split, position, _read_image(file, row, classes, size))
                    bar.advance()
    return out


@dataclass(frozen=True)
class _Classes:
    """The class tables: `to40` and `to13` `[895]` uint8 from a raw label (0 = unlabelled), `raw_names` of 1 to 894."""

    to40: NDArray[np.uint8]
    to13: NDArray[np.uint8]
    raw_names: list[str]
    names40: list[str]
    names13: list[str]

    def labels(self) -> dict[str, Label]:
        normals = Label(NORMALS_LABEL.dtype, NORMALS_LABEL.channels, {**NORMALS_LABEL.attributes, "derived": True})
        return {
            "segmentation": segmentation_label(self.names13),
            "segmentation40": segmentation_label(self.names40),
            "depth": DEPTH_LABEL,
            "normals": normals,
        }


def _find_files(source: Path) -> dict[str, Path]:
    if not source.exists():
        raise InputError(f"no file or folder {source}")
    folder = source if source.is_dir() else source.parent
    given = {} if source.is_dir() else {"nyu_depth_v2_labeled": source}
    return {stem: given.get(stem) or find_mat(folder, stem, what) for stem, what in _FILES.items()}


def _read_classes(path40: Path, path13: Path) -> _Classes:
    table40 = read_mat(path40, "mapClass", "className", "allClassName")
    record = read_mat(path13, "classMapping13")["classMapping13"]
    if record.dtype.names is None or not {"labels13", "classNames"} <= set(record.dtype.names) or record.size != 1:
        raise InputError(f"{path13}: classMapping13 is no struct with labels13 and classNames")
    names40, names13 = strings_of(table40["className"]), strings_of(record["classNames"].item())
    to40 = _table(path40, "mapClass", table40["mapClass"], np.size(table40["allClassName"]), len(names40), 40)
    to13 = _table(path13, "labels13", record["labels13"].item(), len(names40), len(names13), 13)
    return _Classes(
        np.r_[np.uint8(IGNORE), to40], np.r_[np.uint8(IGNORE), to13[to40]], strings_of(table40["allClassName"]),
        names40, names13,
    )  # fmt: skip


def _table(path: Path, name: str, table: NDArray[np.generic], size: int, names: int, classes: int) -> NDArray[np.uint8]:
    """A table of class numbers from 1 as one from 0."""
    values = np.ravel(table)
    if names != classes or values.shape != (size,) or values.dtype.kind not in "iuf":
        raise InputError(f"{path}: {name} maps {values.size} classes to {names}, expected {size} to {classes}")
    numbers = values.astype(np.int64)
    if numbers.min() < 1 or numbers.max() > classes:
        found = f"{numbers.min()} to {numbers.max()}"
        raise InputError(f"{path}: {name} has class numbers {found}, expected 1 to {classes}")
    return (numbers - 1).astype(np.uint8)


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


def _check_names(file: h5py.File, classes: _Classes, path40: Path) -> None:
    """The raw classes must be those that the table maps, or every label would come out wrong in silence."""
    try:
        names = strings_of_73(file, "names")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file.filename}: the class names cannot be read ({error})") from None
    if names != classes.raw_names:
        pairs = zip(names, classes.raw_names, strict=False)
        first = next((f"class {i} is {a!r} and {b!r}" for i, (a, b) in enumerate(pairs, 1) if a != b), None)
        difference = first or f"{len(names)} and {len(classes.raw_names)} classes"
        raise InputError(f"{path40} belongs to other labels than {file.filename}: {difference}")


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


def _read_image(file: h5py.File, row: int, classes: _Classes, size: tuple[int, int]) -> dict[str, NDArray[np.generic]]:
    """Image number `row` with all its labels, in the prepared form."""
    where = f"{file.filename}: image {row + 1:04d}"
    try:
        image, depth, label = (file[name][row].T for name in ("images", "depths", "labels"))
    except OSError as error:
        raise InputError(f"{where} cannot be read ({error})") from None
    if label.max() >= len(classes.to40):
        raise InputError(f"{where} has the class {label.max()}, expected 0 to {len(classes.to40) - 1}")
    depth = depth.astype(np.float64)
    rows, columns = picked(size[0], HEIGHT), picked(size[1], WIDTH)
    raw, millimetres = pick(label, size), np.rint(pick(depth, size) * 1000)
    # Beyond what 16 bits hold, and NaN, is no depth; it is 10 m at most in the published file.
    in_range = (millimetres > 0) & (millimetres <= np.iinfo(np.uint16).max)
    normals = normals_from_depth(depth, CAMERA, rows, columns)
    return {
        "image": average(image, size),
        "segmentation": classes.to13[raw],
        "segmentation40": classes.to40[raw],
        "depth": np.where(in_range, millimetres, 0).astype(np.uint16),
        "normals": np.rint(normals * 127).astype(np.int8),
    }

"""NYUv2's 894 raw classes as 40 and as 13, from the tables that are published for that."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.data.labels import IGNORE
from mtlattack.errors import InputError
from mtlattack.reading.matlab import read_mat, strings_of, strings_of_73
from mtlattack.wording import counted


@dataclass(frozen=True)
class ClassTables:
    """The class tables: `to40` and `to13` `[895]` uint8 from a raw label (0 = unlabelled), `raw_names` of 1 to 894."""

    to40: NDArray[np.uint8]
    to13: NDArray[np.uint8]
    raw_names: list[str]
    names40: list[str]
    names13: list[str]


def read_class_tables(path40: Path, path13: Path) -> ClassTables:
    """The tables of classMapping40.mat and class13Mapping.mat; InputError if they are damaged or do not fit."""
    table40 = read_mat(path40, "mapClass", "className", "allClassName")
    record = read_mat(path13, "classMapping13")["classMapping13"]
    if record.dtype.names is None or not {"labels13", "classNames"} <= set(record.dtype.names) or record.size != 1:
        raise InputError(f"{path13}: classMapping13 is no struct with labels13 and classNames")
    names40, names13 = strings_of(table40["className"]), strings_of(record["classNames"].item())
    to40 = _table(path40, "mapClass", table40["mapClass"], np.size(table40["allClassName"]), len(names40), 40)
    to13 = _table(path13, "labels13", record["labels13"].item(), len(names40), len(names13), 13)
    return ClassTables(
        np.r_[np.uint8(IGNORE), to40], np.r_[np.uint8(IGNORE), to13[to40]], strings_of(table40["allClassName"]),
        names40, names13,
    )  # fmt: skip


def _table(path: Path, name: str, table: NDArray[np.generic], size: int, names: int, classes: int) -> NDArray[np.uint8]:
    """A table of class numbers from 1 as one from 0."""
    values = np.ravel(table)
    if names != classes or values.shape != (size,) or values.dtype.kind not in "iuf":
        raise InputError(
            f"{path}: {name} maps {counted(values.size, 'class')} to {names}, expected {size} to {classes}"
        )
    numbers = values.astype(np.int64)
    if numbers.min() < 1 or numbers.max() > classes:
        found = f"{numbers.min()} to {numbers.max()}"
        raise InputError(f"{path}: {name} has class numbers {found}, expected 1 to {classes}")
    return (numbers - 1).astype(np.uint8)


def check_raw_names(file: h5py.File, classes: ClassTables, path40: Path) -> None:
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

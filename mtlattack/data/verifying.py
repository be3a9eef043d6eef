"""Reading a prepared file from end to end: what is in it, and everything that is wrong with it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.data.identity import Identifier
from mtlattack.data.labels import task_of, valid_places
from mtlattack.data.prepared import open_prepared
from mtlattack.data.provenance import SOURCES, compare_sources, read_sources
from mtlattack.errors import InputError
from mtlattack.hdf5 import DamagedError, attribute, attributes_of, check_inside, check_stored, reading, strings_of
from mtlattack.progress import progress_bar
from mtlattack.tasks import Task, UnknownKindError
from mtlattack.wording import counted

_ATTRIBUTES = ("name", "height", "width", "license", "citation")


@dataclass(frozen=True)
class Problem:
    """One fault of a prepared file: in which split, data set and image it is (empty where it is in none), and what."""

    split: str
    dataset: str
    image: str
    what: str

    def __str__(self) -> str:
        place = "/".join(part for part in (self.split, self.dataset) if part)
        image = f"image {self.image!r}" if self.image else ""
        return ": ".join(part for part in (" ".join(part for part in (place, image) if part), self.what) if part)


@dataclass(frozen=True)
class SplitReport:
    """A split: its number of images, the names of its labels, and its fingerprint (None if it has problems)."""

    name: str
    images: int
    labels: list[str]
    fingerprint: str | None


@dataclass(frozen=True)
class Verification:
    """What a prepared file holds and what is wrong with it."""

    path: Path
    name: str
    size: tuple[int, int] | None
    splits: list[SplitReport] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(path: str | Path, source: str | Path | None = None) -> Verification:
    """Read every image and label of a prepared file and check it against the format.

    With `source`, the folder (or file) that it was prepared from, also compare each recorded file with the one there.
    Raises InputError where there is nothing to read: no such file, a truncated one, no HDF5, another format or version.
    """
    path = Path(path)
    with open_prepared(path) as file, reading(path):
        attributes = attributes_of(file)
        problems = [Problem("", "", "", f"no attribute {name!r}") for name in _ATTRIBUTES if name not in attributes]
        size = _size(file)
        if size is None:
            problems.append(Problem("", "", "", "height and width are no positive numbers"))
        groups = {name: item for name, item in file.items() if isinstance(item, h5py.Group)}
        for group in groups.values():
            check_inside(group, file)
        strangers = [name for name in file if name not in groups and name != SOURCES]
        problems += [Problem(name, "", "", "is no split (a group)") for name in strangers]
        if not groups:
            problems.append(Problem("", "", "", "no split"))
        result = Verification(path, str(attributes.get("name", "")), size, [], problems)
        for name, group in groups.items():
            faults, fingerprint = _check_split(name, group, size)
            problems += faults
            labels = sorted(label for label in group if label not in ("image", "id"))
            count = len(group["id"]) if isinstance(group.get("id"), h5py.Dataset) and group["id"].ndim == 1 else 0
            sound = not any(problem.split in ("", name) for problem in problems)
            result.splits.append(SplitReport(name, count, labels, fingerprint if sound else None))
        # Last: what became of the sources does not change what the splits are.
        problems += _check_sources(file, None if source is None else Path(source))
    return result


def _check_sources(file: h5py.File, source: Path | None) -> list[Problem]:
    """Problems of the records of source files, and of the files that they name in `source`."""
    try:
        records = read_sources(file)
    except InputError as error:
        return [Problem("", "", "", str(error))]
    if source is None:
        return []
    folder = source.parent if source.is_file() else source
    if not folder.is_dir():
        raise InputError(f"no file or folder {source}")
    if not records:
        return [Problem("", "", "", "no source files are recorded: prepare it anew to compare them")]
    with progress_bar("comparing sources", len(records), "files") as bar:
        problems = []
        for fault in compare_sources(records, folder):
            problems += [] if fault is None else [Problem("", "", "", fault)]
            bar.advance()
    return problems


def _size(file: h5py.File) -> tuple[int, int] | None:
    try:
        height, width = int(attribute(file, "height")), int(attribute(file, "width"))
    except (OverflowError, TypeError, ValueError):
        return None
    return (height, width) if height > 0 and width > 0 else None


def _check_split(split: str, group: h5py.Group, size: tuple[int, int] | None) -> tuple[list[Problem], str]:
    """Problems of one split: of its ids, then of its data sets, then of each image; and if there are none, the
    fingerprint."""
    try:
        ids = strings_of(group, "id")
    except DamagedError as error:
        return [Problem(split, "", "", str(error))], ""
    except OSError as error:
        return [Problem(split, "id", "", f"cannot be read ({error})")], ""
    problems = [Problem(split, "id", x, f"there {times} times") for x, times in Counter(ids).items() if times > 1]
    names = sorted(name for name in group if name != "id")
    if not ids:
        problems.append(Problem(split, "id", "", "no images"))
    if "image" not in names:
        problems.append(Problem(split, "image", "", "missing"))
    if not set(names) - {"image"}:
        problems.append(Problem(split, "", "", "no label"))
    checked: dict[str, Task | None] = {}
    for name in names:
        task, faults = _check_layout(name, group, len(ids), size)
        problems += [Problem(split, name, "", fault) for fault in faults]
        if not faults:
            checked[name] = task
    found, fingerprint = _check_arrays(split, group, ids, checked)
    return problems + found, fingerprint


def _check_arrays(
    split: str, group: h5py.Group, ids: list[str], tasks: dict[str, Task | None]
) -> tuple[list[Problem], str]:
    """Problems of the arrays themselves, data set by data set, and the hash of those that could be read; each is read
    once. `tasks` are the data sets in alphabetical order, None being images."""
    faults: dict[str, list[Problem]] = {name: [] for name in tasks}
    unseen = {name: task for name, task in tasks.items() if task is not None}  # no valid pixel so far
    attributes = {name: attributes_of(group[name]) for name in tasks}
    identifier = Identifier()
    with progress_bar(f"verifying {split}", len(ids) * len(tasks), "arrays") as bar:
        for row, identity in enumerate(ids):
            identifier.begin(identity)
            for name, task in tasks.items():
                bar.advance()
                try:
                    raw = group[name][row]
                except OSError as error:
                    faults[name].append(Problem(split, name, identity, f"cannot be read ({error})"))
                    continue
                identifier.add(name, raw, attributes[name].get("scale", 1))
                fault = _check_array(task, raw, attributes[name])
                if fault:
                    faults[name].append(Problem(split, name, identity, fault))
                elif name in unseen and valid_places(unseen[name], unseen[name].decode(raw, attributes[name])).any():
                    del unseen[name]
    for name in unseen:
        if ids and not faults[name]:
            faults[name].append(Problem(split, name, "", "no image of this split has a valid pixel"))
    return [problem for of_one in faults.values() for problem in of_one], identifier.fingerprint()


def _check_layout(
    name: str, group: h5py.Group, count: int, size: tuple[int, int] | None
) -> tuple[Task | None, list[str]]:
    """The task that a data set serves (None for images) and what is wrong with its name, dtype, shape, attributes."""
    item = group[name]
    if not isinstance(item, h5py.Dataset):
        return None, ["is no data set"]
    try:
        check_inside(item, group.file)
        check_stored(item)
        attributes = attributes_of(item)
    except DamagedError as error:
        return None, [str(error)]
    task = None
    if name != "image":
        try:
            task = task_of(name, attributes)
        except InputError as error:
            return None, [str(error)]
        except (TypeError, ValueError):
            return None, [f"attribute 'classes' is {attributes['classes']!r}, expected names or their number"]
        if task is None:
            return None, [str(UnknownKindError(name))]
    dtype = task.stored_dtype if task else "uint8"
    faults = []
    if item.dtype != dtype:
        faults.append(f"holds {item.dtype}, expected {dtype}")
    if size:
        expected = (count, *(task.stored_shape(size) if task else (*size, 3)))
        if item.shape != expected:
            faults.append(f"has shape {item.shape}, expected {expected}")
    elif item.shape[:1] != (count,):
        faults.append(f"has shape {item.shape}, expected {counted(count, 'image')}")
    if task and task.scaled:
        scale = attributes.get("scale")
        if scale is None:
            faults.append("no attribute 'scale'")
        elif not (np.issubdtype(np.asarray(scale).dtype, np.number) and np.ndim(scale) == 0 and 0 < scale < np.inf):
            faults.append(f"scale is {scale!r}, expected a positive number")
    return task, faults


def _check_array(task: Task | None, raw: NDArray[Any], attributes: Mapping[str, Any]) -> str | None:
    """What is wrong with one image or label, if anything."""
    return task.stored_fault(raw, attributes) if task else None

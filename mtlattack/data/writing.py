"""Writing prepared files: whole or not at all, and killed at any moment the same run goes on where it was."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.data.account import ATTRIBUTE, Account, from_json, to_json
from mtlattack.data.ids import check_ids
from mtlattack.data.parts import LOCK, Parts
from mtlattack.data.prepared import FORMAT, FORMAT_VERSION
from mtlattack.data.provenance import SOURCES, SourceFile, describe_file, write_sources
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.files import check_room, whole_file
from mtlattack.tasks import Classes, Depth, InverseDepth, MultiLabel, Normals, Regression, Segmentation
from mtlattack.version import __version__
from mtlattack.wording import counted

_SPLIT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_RESERVED = (SOURCES, LOCK)


@dataclass(frozen=True)
class Label:
    """How one label is stored: its dtype, trailing dimensions behind `[N, H, W]`, and attributes.

    That of the whole image, which is not `dense`, has them behind `[N]`.
    """

    dtype: str
    channels: tuple[int, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    dense: bool = True


def classes_label(kind: type[Classes], classes: Iterable[str] | int) -> Label:
    """Class numbers of a kind of task; `classes` are the names, or their number where no names are published."""
    attributes = {"classes": classes if isinstance(classes, int) else list(classes), "ignore": kind.stored_ignore}
    return Label(kind.stored_dtype, kind.target_channels, attributes, kind.dense)


def segmentation_label(classes: Iterable[str] | int) -> Label:
    """Class numbers, 255 = ignore; `classes` as in `classes_label`."""
    return classes_label(Segmentation, classes)


def answers_label(names: Iterable[str] | int) -> Label:
    """Whether each label of a multi-label classification is present: 1, 0, or −1 where that is not known."""
    names = names if isinstance(names, int) else list(names)
    task = MultiLabel(names if isinstance(names, int) else len(names))
    return Label(task.stored_dtype, task.target_channels, {"classes": names}, task.dense)


def normals_label(**attributes: Any) -> Label:
    """Unit normals in our frame, with attributes that say where they come from."""
    frame = "x right, y down, z forward; camera-facing z < 0"
    attributes = {"scale": 1 / 127, "frame": frame, **attributes}
    return Label(Normals.stored_dtype, Normals.target_channels, attributes)


def number_label(task: Regression, step: float | None = None) -> Label:
    """Numbers in multiples of `step`, by default the task's own; of a kind that is not scaled as they are."""
    unit = {"unit": task.stored_unit} if task.stored_unit else {}
    scale = {"scale": task.stored_step if step is None else step} if task.scaled else {}
    invalid = {"invalid": task.stored_invalid} if task.scaled else {}
    attributes = {**scale, **unit, **invalid, **task.stored_options()}
    return Label(task.stored_dtype, task.target_channels, attributes, task.dense)


IMAGE_LABEL = Label("uint8", (3,))
DEPTH_LABEL = number_label(Depth())
INVERSE_DEPTH_LABEL = number_label(InverseDepth(), step=1e-5)
NORMALS_LABEL = normals_label()


@dataclass(frozen=True)
class _Split:
    ids: list[str]
    labels: dict[str, Label]
    files: list[SourceFile]
    done: set[int] = field(default_factory=set)


class PreparedWriter:
    """Collects images beside the file's place and moves the whole there when the `with` block ends without an error.

    What is finished is kept through errors and kills: a run with the same header, ids, labels and source files finds it
    (`has`) and need not make it again; where one of these differs, it is made anew. `root` is the folder that the
    recorded names of source files are relative to. InputError where the file cannot be written.
    """

    def __init__(
        self, path: Path, *, name: str, size: tuple[int, int], license: str, citation: str, compression: int = 4,
        root: Path | None = None,
    ) -> None:  # fmt: skip
        self.path, self._size, self._compression, self._root = path, size, compression, root
        height, width = size
        self._header = {
            "format": FORMAT, "format_version": FORMAT_VERSION, "name": name, "height": height, "width": width,
            "license": license, "citation": citation,
        }  # fmt: skip
        self._splits: dict[str, _Split] = {}
        self._described: dict[Path, SourceFile] = {}
        if path.is_dir():
            raise InputError(f"{path} is a folder, expected a file to write")
        try:
            self._parts = Parts(path)
        except OSError as error:
            raise InputError(f"cannot write {path} ({error})") from None

    def add_split(self, split: str, ids: list[str], labels: Mapping[str, Label], files: Sequence[Path] = ()) -> None:
        """Make room for a split of `len(ids)` images with these labels, made from `files` that belong to all of it.

        Whatever else the arrays depend on must stand in the labels' attributes. InputError for an id that is there
        twice or is no UTF-8, and for a file that cannot be read.
        """
        # A name becomes a folder and an HDF5 group: one such as ".." would lead elsewhere.
        if not _SPLIT_NAME.fullmatch(split) or split in _RESERVED:
            raise InputError(f"a split cannot be called {split!r}, expected letters, digits, '_', '-' and '.' inside")
        check_ids(ids, split)
        # The files of a whole split can be large, and two splits often share them.
        self._described |= {path: describe_file(path, self._base) for path in files if path not in self._described}
        described = [self._described[path] for path in files]
        self._splits[split] = _Split(list(ids), {"image": IMAGE_LABEL, **labels}, described)
        plan = {
            "version": __version__, "header": self._header, "compression": self._compression, "ids": ids,
            "labels": {name: (x.dtype, x.channels, dict(x.attributes)) for name, x in labels.items()},
            "files": [(x.file, x.bytes, x.sha256) for x in described],
        }  # fmt: skip
        try:
            self._parts.open_split(split, plan)
        except OSError as error:
            raise InputError(f"cannot write {self.path} ({error})") from None

    def has(self, split: str, row: int, files: Sequence[Path] = ()) -> bool:
        """Whether an earlier run has finished this image, from files of the same content."""
        if not self._parts.exists(split, row):
            return False
        found = self._parts.has(split, row, [describe_file(path, self._base) for path in files])
        if found:
            self._splits[split].done.add(row)
        return found

    def write(
        self, split: str, row: int, arrays: Mapping[str, NDArray[np.generic]], files: Sequence[Path] = (),
        accounts: Mapping[str, Account] | None = None,
    ) -> None:  # fmt: skip
        """Store image number `row` of a split with its labels, made from `files`, and what became of these by name.

        InputError names an array that is missing, too many, or of another shape or dtype than the split was given.
        """
        self._check(split, row, arrays)
        described = [describe_file(path, self._base) for path in files]
        try:
            self._parts.write(split, row, arrays, described, self._compression, to_json(accounts or {}))
        except OSError as error:
            raise InputError(f"cannot write {self.path} ({error})") from None
        self._splits[split].done.add(row)

    def __enter__(self) -> "PreparedWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._parts.close()

    @property
    def _base(self) -> Path:
        return Path() if self._root is None else self._root

    def _check(self, split: str, row: int, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        if split not in self._splits:
            raise UnknownNameError(f"split of {self.path}", split, self._splits)
        plan = self._splits[split]
        if not 0 <= row < len(plan.ids):
            raise InputError(f"image {row} of {split}, expected 0 to {len(plan.ids) - 1}")
        where = f"image {plan.ids[row]!r} of {split}"
        for name in arrays:
            if name not in plan.labels:
                raise UnknownNameError(f"label of {where}:", name, plan.labels)
        for name, label in plan.labels.items():
            if name not in arrays:
                raise InputError(f"{where} has no {name!r}")
            found, wanted = (arrays[name].dtype, arrays[name].shape), (np.dtype(label.dtype), self._shape(label))
            if found != wanted:
                raise InputError(f"{name} of {where} is {found[0]} {found[1]}, expected {wanted[0]} {wanted[1]}")

    def _shape(self, label: Label) -> tuple[int, ...]:
        return (*self._size, *label.channels) if label.dense else label.channels

    def _finish(self) -> None:
        for split, plan in self._splits.items():
            missing = len(plan.ids) - len(plan.done)
            if missing:
                raise InputError(
                    f"{self.path} is not finished: {split} lacks {missing} of {counted(len(plan.ids), 'image')}"
                )
        try:
            with whole_file(self.path) as place:
                check_room(place, self._parts.size() + 65536)
                with h5py.File(place, "w") as file:
                    file.attrs.update(self._header)
                    for split, plan in self._splits.items():
                        self._join(split, plan, file)
                    write_sources(file, self._sources())
        except OSError as error:
            raise InputError(f"cannot write {self.path} ({error})") from None
        self._parts.remove()

    def _join(self, split: str, plan: _Split, file: h5py.File) -> None:
        group = file.create_group(split)
        group.create_dataset("id", data=plan.ids, dtype=h5py.string_dtype())
        for name, label in plan.labels.items():
            shape = (len(plan.ids), *self._shape(label))
            dataset = group.create_dataset(
                name, shape, label.dtype, chunks=(1, *shape[1:]), shuffle=True, compression="gzip",
                compression_opts=self._compression,
            )  # fmt: skip
            dataset.attrs.update(label.attributes)
        accounts: dict[str, Account] = {}
        for row in range(len(plan.ids)):
            self._parts.join(split, row, group)
            for name, account in from_json(self._parts.account_of(split, row)).items():
                accounts[name] = accounts.get(name, Account(0, 0)).plus(account)
        for name, account in accounts.items():
            group[name].attrs[ATTRIBUTE] = json.dumps(vars(account))

    def _sources(self) -> Iterable[tuple[str, SourceFile]]:
        for split, plan in self._splits.items():
            yield from ((split, record) for record in plan.files)
            for row in range(len(plan.ids)):
                yield from ((split, record) for record in self._parts.files_of(split, row))

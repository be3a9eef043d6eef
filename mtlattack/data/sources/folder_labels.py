"""How the labels that `mtlattack.toml` describes are read and stored."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.account import Drop, Mask
from mtlattack.data.sources.encode import encode_normals
from mtlattack.data.sources.files import Size, read_gray, read_image, read_npy
from mtlattack.data.sources.folder_kinds import AnswerFiles, LabelFiles, NormalFiles, NumberFiles, SegmentationFiles
from mtlattack.data.sources.normals import Frame, read_normals, read_vectors, unit_normals
from mtlattack.data.sources.tables import Table
from mtlattack.data.writing import Label, answers_label, classes_label, normals_label, number_label
from mtlattack.errors import InputError
from mtlattack.tasks import MultiLabel, Regression
from mtlattack.wording import counted

Array = NDArray[Any]


@dataclass(frozen=True)
class LabelReader:
    """How one label is stored, and how a file becomes that.

    `read` gives raw numbers of an image by its file, size and id; `encode` stored ones, and tells what it leaves out:
    what means nothing, then what had a meaning. A `table` is one file for all images.
    """

    pattern: str
    label: Label
    read: Callable[[Path, Size, str], Array]
    encode: Callable[[Path, Array, Drop, Drop], Array]
    table: bool


def label_reader(files: LabelFiles) -> LabelReader:
    """The reader of a label as it is described."""
    if isinstance(files, SegmentationFiles):
        return _classes(files)
    if isinstance(files, AnswerFiles):
        return _answers(files)
    if isinstance(files, NormalFiles):
        return _normals(files)
    assert isinstance(files, NumberFiles)
    return _numbers(files)


def _reader(files: LabelFiles, label: Label, read: Callable[[Path, Size], Array], encode: Any) -> LabelReader:
    if files.encoding == "csv":
        names = files.classes if isinstance(files, SegmentationFiles) and isinstance(files.classes, list) else []
        columns = files.columns or (files.classes if isinstance(files, AnswerFiles) else [])
        table = Table(files.id, columns, names, empty=np.nan)
        return LabelReader(
            files.pattern, label, lambda path, size, identity: table.row(path, identity, label.channels), encode, True
        )
    return LabelReader(files.pattern, label, lambda path, size, identity: read(path, size), encode, False)


def _classes(files: SegmentationFiles) -> LabelReader:
    kind = files.classes_kind

    def encode(path: Path, raw: Array, none: Drop, drop: Drop) -> Array:
        known = files.map or {number: number for number in range(files.count)}
        result = np.full(raw.shape, kind.stored_ignore, kind.stored_dtype)
        empty = np.isnan(raw) if files.encoding == "csv" else np.zeros(raw.shape, np.bool_)
        none("empty", empty)
        for number in np.unique(raw[~empty]):
            if number in files.ignored:
                none(f"{number:g} in ignore", raw == number)
                continue
            if number not in known:
                raise InputError(f"{path} has the class {number:g}, which is neither a class nor in ignore")
            result[raw == number] = known[int(number)]
        return result

    def read(path: Path, size: Size) -> Array:
        return _read_one(path, size, files.encoding) if kind.dense else read_npy(path, shape=())

    return _reader(files, classes_label(kind, files.classes), read, encode)


def _answers(files: AnswerFiles) -> LabelReader:
    label = answers_label(files.classes)
    task = MultiLabel(len(files.classes))

    def encode(path: Path, raw: Array, none: Drop, drop: Drop) -> Array:
        unknown = ~np.isfinite(raw) | (raw < 0)
        none("unknown", unknown)
        stored = np.where(unknown, -1, np.where(unknown, 0, raw))
        fault = task.stored_fault(stored, label.attributes)
        if fault:
            raise InputError(f"{path} has {fault}")
        return stored.astype(label.dtype)

    return _reader(files, label, lambda path, size: read_npy(path, shape=label.channels), encode)


def _normals(files: NormalFiles) -> LabelReader:
    frame = Frame(files.frame)
    label = normals_label(source_frame=frame.text)

    def read(path: Path, size: Size) -> Array:
        read_normals(path, size, files.length)  # A file without any is none of normals.
        return read_vectors(path, size)

    def encode(path: Path, raw: Array, none: Drop, drop: Drop) -> Array:
        return encode_normals(frame.to_ours(unit_normals(raw, files.length, none, drop)))

    return _reader(files, label, read, encode)


def _numbers(files: NumberFiles) -> LabelReader:
    task = files.task

    def read(path: Path, size: Size) -> Array:
        if not task.dense:
            return read_npy(path, shape=task.target_channels)
        several = list(range(task.channels)) if task.channels > 1 else None
        channels = several if files.channels is None else files.channels
        if channels is None:
            return _read_one(path, size, files.encoding)
        raw = _read_several(path, size, files.encoding)
        if max(channels) >= raw.shape[-1]:
            raise InputError(f"{path} has {counted(raw.shape[-1], 'channel')}, expected {max(channels) + 1} or more")
        return raw[..., channels] if task.target_channels else raw[..., channels[0]]

    step = files.step or task.stored_step

    def encode(path: Path, raw: Array, none: Drop, drop: Drop) -> Array:
        values, valid = _values(files, task, raw, none)
        try:
            stored = task.encode(task.clip(values) if files.clip else values, valid, step)
        except InputError as error:
            raise InputError(f"{path} has {error}") from None
        if task.scaled:
            drop(
                f"no value of {task.name}",
                _per_label(task, valid & (stored == task.stored_invalid)) & _all(task, valid),
            )
        return stored

    return _reader(files, number_label(task, step), read, encode)


def _values(files: NumberFiles, task: Regression, raw: Array, none: Drop) -> tuple[NDArray[np.float64], Mask]:
    """Values in the task's unit, 0 where there is none, and where there is one."""
    numbers = raw.astype(np.float64)
    rules = {"not finite": ~np.isfinite(numbers), "in invalid": np.isin(numbers, files.invalid)}
    if files.invalid_from is not None:
        rules[f"{files.invalid_from:g} or more"] = numbers >= files.invalid_from
    lost = np.zeros(_per_label(task, numbers != numbers).shape, np.bool_)
    for rule, where in rules.items():
        none(rule, _per_label(task, where) & ~lost)
        lost |= _per_label(task, where)
    valid = ~np.logical_or.reduce(list(rules.values()))
    return np.where(valid, files.scale * np.where(valid, numbers, 0) + files.offset, 0), valid


def _per_label(task: Regression, where: Mask) -> Mask:
    """A label of several numbers is lost where one of them is."""
    return np.asarray(where.any(-1) if task.target_channels else where)


def _all(task: Regression, valid: Mask) -> Mask:
    return ~_per_label(task, ~valid)


def _read_one(path: Path, size: Size, encoding: str) -> Array:
    """A file of one channel, `[H, W]`."""
    if encoding == "npy":
        raw = read_npy(path)
        raw = raw[..., 0] if raw.ndim == 3 and raw.shape[-1] == 1 else raw
        if raw.shape != size:
            raise InputError(f"{path} has shape {raw.shape}, expected {size}")
        return raw
    raw = read_gray(path, size=size)
    bits = 8 * raw.dtype.itemsize
    if encoding != f"png{bits}":
        raise InputError(f"{path} has {bits} bits, expected {encoding.removeprefix('png')}")
    return raw


def _read_several(path: Path, size: Size, encoding: str) -> Array:
    """A file of several channels, `[H, W, C]`."""
    return read_npy(path, shape=(*size, None)) if encoding == "npy" else read_image(path, size=size)

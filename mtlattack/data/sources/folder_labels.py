"""How the labels that `mtlattack.toml` describes are read and stored."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.labels import IGNORE
from mtlattack.data.sources.encode import encode_normals
from mtlattack.data.sources.files import Size, read_gray, read_image, read_npy
from mtlattack.data.sources.folder_schema import (
    LabelFiles,
    NormalFiles,
    NumberFiles,
    SegmentationFiles,
)
from mtlattack.data.sources.normals import Frame, read_normals
from mtlattack.data.writing import Label, normals_label, number_label, segmentation_label
from mtlattack.errors import InputError

Array = NDArray[Any]


@dataclass(frozen=True)
class LabelReader:
    """How one label is stored, and how a file becomes that: `read` gives raw numbers, `encode` stored ones."""

    pattern: str
    label: Label
    read: Callable[[Path, Size], Array]
    encode: Callable[[Path, Array], Array]


def label_reader(files: LabelFiles) -> LabelReader:
    """The reader of a label as it is described."""
    if isinstance(files, SegmentationFiles):
        return _segmentation(files)
    return _normals(files) if isinstance(files, NormalFiles) else _numbers(files)


def _segmentation(files: SegmentationFiles) -> LabelReader:
    def encode(path: Path, raw: Array) -> Array:
        known = files.map or {number: number for number in range(files.count)}
        result = np.full(raw.shape, IGNORE, np.uint8)
        for number in np.unique(raw):
            if number in files.ignore:
                continue
            if number not in known:
                raise InputError(f"{path} has the class {number:g}, which is neither a class nor in ignore")
            result[raw == number] = known[int(number)]
        return result

    label = segmentation_label(files.classes)
    return LabelReader(files.pattern, label, lambda path, size: _read_one(path, size, files.encoding), encode)


def _normals(files: NormalFiles) -> LabelReader:
    frame = Frame(files.frame)
    label = normals_label(source_frame=frame.text)
    return LabelReader(files.pattern, label, read_normals, lambda path, raw: encode_normals(frame.to_ours(raw)))


def _numbers(files: NumberFiles) -> LabelReader:
    task = files.task

    def read(path: Path, size: Size) -> Array:
        several = list(range(task.channels)) if task.channels > 1 else None
        channels = several if files.channels is None else files.channels
        if channels is None:
            return _read_one(path, size, files.encoding)
        raw = _read_several(path, size, files.encoding)
        if max(channels) >= raw.shape[-1]:
            raise InputError(f"{path} has {raw.shape[-1]} channels, expected {max(channels) + 1} or more")
        return raw[..., channels] if len(channels) > 1 else raw[..., channels[0]]

    step = files.step or task.stored_step

    def encode(path: Path, raw: Array) -> Array:
        values, valid = _values(files, raw)
        try:
            return task.encode(task.clip(values) if files.clip else values, valid, step)
        except InputError as error:
            raise InputError(f"{path} has {error}") from None

    return LabelReader(files.pattern, number_label(task, step), read, encode)


def _values(files: NumberFiles, raw: Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values in the task's unit, 0 where there is none, and where there is one."""
    numbers = raw.astype(np.float64)
    valid = np.isfinite(numbers) & ~np.isin(numbers, files.invalid)
    if files.invalid_from is not None:
        valid &= numbers < files.invalid_from
    return np.where(valid, files.scale * np.where(valid, numbers, 0) + files.offset, 0), valid


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

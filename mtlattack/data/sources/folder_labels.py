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
    FINEST_SHARE,
    LabelFiles,
    NormalFiles,
    NumberFiles,
    SegmentationFiles,
)
from mtlattack.data.sources.normals import Frame, read_normals
from mtlattack.data.writing import Label, normals_label, segmentation_label
from mtlattack.errors import InputError

Array = NDArray[Any]

DISTANCES = {"depth": ("metre", 0.001), "depth_euclidean": ("metre", 0.001), "inverse_depth": ("1/m", 1e-4)}
"""Unit and default step; 0 is invalid."""
_CURVATURE_STEP = 1 / 4096
_NO_SHARE, _NO_CURVATURE = 65535, -32768


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
    def read(path: Path, size: Size) -> Array:
        channels = [0, 1] if files.channels is None and files.kind == "principal_curvature" else files.channels
        if channels is None:
            return _read_one(path, size, files.encoding)
        raw = _read_several(path, size, files.encoding)
        if max(channels) >= raw.shape[-1]:
            raise InputError(f"{path} has {raw.shape[-1]} channels, expected {max(channels) + 1} or more")
        return raw[..., channels] if len(channels) > 1 else raw[..., channels[0]]

    if files.kind in DISTANCES:
        unit, step = DISTANCES[files.kind]
        step = files.step or step
        label = Label("uint16", attributes={"scale": step, "unit": unit, "invalid": 0})
        return LabelReader(files.pattern, label, read, lambda path, raw: _distance(path, files, raw, step))
    if files.kind == "principal_curvature":
        step = files.step or _CURVATURE_STEP
        label = Label("int16", (2,), {"scale": step, "invalid": _NO_CURVATURE})
        return LabelReader(files.pattern, label, read, lambda path, raw: _curvature(path, files, raw, step))
    step = files.step or FINEST_SHARE
    label = Label("uint16", attributes={"scale": step, "invalid": _NO_SHARE})
    return LabelReader(files.pattern, label, read, lambda path, raw: _share(path, files, raw, step))


def _values(files: NumberFiles, raw: Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values in the task's unit, 0 where there is none, and where there is one."""
    numbers = raw.astype(np.float64)
    valid = np.isfinite(numbers) & ~np.isin(numbers, files.invalid)
    if files.invalid_from is not None:
        valid &= numbers < files.invalid_from
    return np.where(valid, files.scale * np.where(valid, numbers, 0) + files.offset, 0), valid


def _steps(path: Path, values: NDArray[np.float64], step: float, most: int) -> NDArray[np.float64]:
    steps = np.rint(values / step)
    if np.abs(steps).max() > most:
        worst = values.flat[np.abs(steps).argmax()]
        raise InputError(f"{path} has the value {worst:.6g}, expected at most {most * step:.6g}; give a larger step")
    return steps


def _distance(path: Path, files: NumberFiles, raw: Array, step: float) -> Array:
    values, valid = _values(files, raw)
    valid &= values > 0
    # At least one step: what is valid must not become 0.
    steps = np.maximum(_steps(path, np.where(valid, values, 0), step, 65535), 1)
    return np.where(valid, steps, 0).astype(np.uint16)


def _share(path: Path, files: NumberFiles, raw: Array, step: float) -> Array:
    values, valid = _values(files, raw)
    values = np.clip(values, 0, 1) if files.clip else values
    # Half a step is room for rounding in the source.
    if values.min() < -step / 2 or values.max() > 1 + step / 2:
        raise InputError(f"{path} has values from {values.min():.6g} to {values.max():.6g}, expected 0 to 1")
    return np.where(valid, np.floor(np.clip(values, 0, 1) / step + 0.5), _NO_SHARE).astype(np.uint16)


def _curvature(path: Path, files: NumberFiles, raw: Array, step: float) -> Array:
    values, valid = _values(files, raw)
    both = valid.all(-1, keepdims=True)
    return np.where(both, _steps(path, np.where(both, values, 0), step, 32767), _NO_CURVATURE).astype(np.int16)


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

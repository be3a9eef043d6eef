"""Writing prepared files: whole or not at all."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.data.prepared import FORMAT, FORMAT_VERSION
from mtlattack.errors import InputError


@dataclass(frozen=True)
class Label:
    """How one label is stored: its dtype, trailing dimensions behind `[N, H, W]`, and attributes."""

    dtype: str
    channels: tuple[int, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


def segmentation_label(classes: Iterable[str]) -> Label:
    """Class numbers, 255 = ignore."""
    return Label("uint8", attributes={"classes": list(classes), "ignore": 255})


DEPTH_LABEL = Label("uint16", attributes={"scale": 0.001, "unit": "metre", "invalid": 0})
NORMALS_LABEL = Label("int8", (3,), {"scale": 1 / 127, "frame": "x right, y down, z forward; camera-facing z < 0"})


class PreparedWriter:
    """Writes a prepared file beside its place and moves it there when the `with` block ends without an error."""

    def __init__(
        self, path: Path, *, name: str, size: tuple[int, int], license: str, citation: str, compression: int = 4
    ) -> None:
        self.path, self._size, self._compression = path, size, compression
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        if path.is_dir():
            raise InputError(f"{path} is a folder, expected a file to write")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = h5py.File(self._partial, "w")
        except OSError as error:
            raise InputError(f"cannot write {path} ({error})") from None
        height, width = size
        self._file.attrs.update(
            format=FORMAT, format_version=FORMAT_VERSION, name=name, height=height, width=width, license=license,
            citation=citation,
        )  # fmt: skip

    def add_split(self, split: str, ids: list[str], labels: Mapping[str, Label]) -> None:
        """Make room for a split of `len(ids)` images with these labels."""
        group = self._file.create_group(split)
        group.create_dataset("id", data=ids, dtype=h5py.string_dtype())
        for name, label in {"image": Label("uint8", (3,)), **labels}.items():
            shape = (len(ids), *self._size, *label.channels)
            dataset = group.create_dataset(
                name, shape, label.dtype, chunks=(1, *shape[1:]), shuffle=True, compression="gzip",
                compression_opts=self._compression,
            )  # fmt: skip
            dataset.attrs.update(label.attributes)

    def write(self, split: str, row: int, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Store image number `row` of a split with its labels."""
        try:
            for name, array in arrays.items():
                self._file[split][name][row] = array
        except OSError as error:
            raise InputError(f"cannot write {self.path} ({error})") from None

    def __enter__(self) -> "PreparedWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self._file.close()
            if kind is None:
                os.replace(self._partial, self.path)
        finally:
            self._partial.unlink(missing_ok=True)

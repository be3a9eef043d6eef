"""How alike the input gradients of tasks or models are, per image, in one HDF5 file that survives being killed.

Laid out in full before the first image, as evidence is: later writes overwrite bytes and mark them as done.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError
from mtlattack.files import check_room, whole_file
from mtlattack.hdf5 import DamagedError, check_array, opened_hdf5, strings_of
from mtlattack.wording import counted

FORMAT = "mtlattack-agreement"
FORMAT_VERSION = 1
Array = NDArray[np.float64]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Agreement:
    """Of N images, rows and columns (tasks or models) and K losses of each: the cosine of the two gradients in [-1, 1]
    and the share in [0, 1] of the values, non-zero in both, whose signs are equal; `[N, rows, columns, K]`, NaN where
    one of both is zero throughout."""

    cosine: Array
    signs: Array


class AgreementFile:
    """An agreement file being filled; `shapes` are rows, columns and losses of each matrix."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(path: Path, shapes: Sequence[Shape], ids: Sequence[str]) -> "AgreementFile":
        """Lay out the file (whole or not at all); InputError where it cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as partial:
                values = len(ids) * sum(8 * math.prod(shape) + 1 for shape in shapes)
                texts = sum(80 + len(identity.encode()) for identity in ids)
                check_room(partial, values + texts + 8192 * (len(shapes) + 2))
                with h5py.File(partial, "w") as file:
                    file.attrs.update(format=FORMAT, format_version=FORMAT_VERSION)
                    file.create_dataset("id", data=list(ids), dtype=h5py.string_dtype())
                    for place, shape in enumerate(shapes):
                        group = file.create_group(f"{place:04d}")
                        for name in ("cosine", "signs"):
                            group.create_dataset(name, data=np.zeros((len(ids), *shape), np.float32))
                        group.create_dataset("done", data=np.zeros(len(ids), np.uint8))
        except OSError as error:
            raise InputError(f"cannot write {path} ({error})") from None
        return AgreementFile(path)

    def check_laid_out(self, shapes: Sequence[Shape], ids: Sequence[str]) -> None:
        """InputError unless the file is laid out as `create` does: it can be gone on with, and read."""
        with self._open("r") as file:
            if strings_of(file, "id") != list(ids) or len(file) != 1 + len(shapes):
                raise DamagedError("it is of other images or matrices than it was laid out for")
            for place, shape in enumerate(shapes):
                for name in ("cosine", "signs"):
                    check_array(file, f"{place:04d}/{name}", (len(ids), *shape), np.float32)
                check_array(file, f"{place:04d}/done", (len(ids),), np.uint8)

    def done(self, matrix: int) -> NDArray[np.bool_]:
        """Which images of a matrix are finished, `[N]`."""
        with self._open("r") as file:
            return file[f"{matrix:04d}"]["done"][:].astype(bool)  # type: ignore[no-any-return]

    def write(self, matrix: int, rows: slice, found: Agreement) -> None:
        """Store some images of a matrix and mark them as done."""
        with self._open("r+") as file:
            group = file[f"{matrix:04d}"]
            group["cosine"][rows], group["signs"][rows] = found.cosine, found.signs
            file.flush()
            group["done"][rows] = 1

    def read(self) -> list[Agreement]:
        """The finished matrices; InputError if some images are still missing."""
        with self._open("r") as file:
            groups = [file[name] for name in sorted(file) if name != "id"]
            missing = sum(int((group["done"][:] == 0).sum()) for group in groups)
            if missing:
                raise InputError(
                    f"{self.path} is not finished: it lacks {counted(missing, 'image')}; run it again to go on"
                )
            return [Agreement(*(group[name][:].astype(np.float64) for name in ("cosine", "signs"))) for group in groups]

    def _open(self, mode: str) -> AbstractContextManager[h5py.File]:
        return opened_hdf5(self.path, "agreement", format=FORMAT, versions=[FORMAT_VERSION], mode=mode)

"""Images of a prepared file under way: one small file each in a folder beside it, which a kill cannot harm.

Compressed chunks have no place before their size is known, so one HDF5 file cannot be laid out in advance as evidence
is. A part is written whole or not at all and never changed; joining the parts copies their compressed bytes.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.data.provenance import SourceFile
from mtlattack.errors import InputError
from mtlattack.files import check_room, json_value, whole_file, write_whole
from mtlattack.hdf5 import DamagedError, attribute, opened_hdf5

LOCK = "lock"
"""Name of the file in the folder of parts that only one run can open for writing."""
_FORMAT, _FORMAT_VERSION, _SEAL = "mtlattack-part", 1, "sha256"


class Parts:
    """The folder of parts beside `path`, locked for this process until `close` or `remove`.

    Parts of a split are kept from an earlier run if that had the same plan, and removed otherwise.
    """

    def __init__(self, path: Path) -> None:
        self.folder = path.with_name(f".{path.name}.parts")
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            # HDF5's lock goes with the process, however that ends, and there is one on every system.
            self._lock = h5py.File(self.folder / LOCK, "w")
        except BlockingIOError:
            raise InputError(f"{path} is being written by another run") from None

    def open_split(self, split: str, plan: Mapping[str, Any]) -> None:
        """Begin a split, or go on with it; `plan` is all that its arrays depend on, but for the source's files."""
        text = json.dumps(plan, sort_keys=True, default=lambda value: np.asarray(value).tolist())
        record = self.folder / split / "plan.json"
        if record.is_file() and record.read_bytes() == text.encode():
            return
        shutil.rmtree(record.parent, ignore_errors=True)
        record.parent.mkdir()
        write_whole(record, text)

    def has(self, split: str, row: int, files: Sequence[SourceFile]) -> bool:
        """Whether a part is there that is still what was written, and was made from these files."""
        try:
            with self._open(split, row) as part:
                return attribute(part, _SEAL) == _digest(part) and _files(part) == list(files)
        except InputError:
            return False

    def exists(self, split: str, row: int) -> bool:
        """Whether there is a part, of these files or others."""
        return self._part(split, row).is_file()

    def files_of(self, split: str, row: int) -> list[SourceFile]:
        """The files that a part was made from."""
        with self._open(split, row) as part:
            return _files(part)

    def account_of(self, split: str, row: int) -> str:
        """The account of a part's labels, as it was given."""
        with self._open(split, row) as part:
            return str(attribute(part, "account"))

    def write(
        self, split: str, row: int, arrays: Mapping[str, NDArray[Any]], files: Sequence[SourceFile], compression: int,
        account: str = "{}",
    ) -> None:  # fmt: skip
        """Store image number `row` of a split, compressed as it will be in the end, and the `account` of its labels."""
        told = {"files": json.dumps([(x.file, x.bytes, x.sha256) for x in files]), "account": account}
        with whole_file(self._part(split, row)) as place:
            # What gzip cannot make smaller it makes larger by less than a hundredth.
            values = sum(array.nbytes + array.nbytes // 100 for array in arrays.values())
            check_room(place, values + sum(map(len, told.values())) + 8192 * (len(arrays) + 2))
            with h5py.File(place, "w") as part:
                for name, array in arrays.items():
                    part.create_dataset(
                        name, data=array[None], chunks=(1, *array.shape), shuffle=True, compression="gzip",
                        compression_opts=compression,
                    )  # fmt: skip
                part.attrs.update(told, format=_FORMAT, format_version=_FORMAT_VERSION)
                part.attrs[_SEAL] = _digest(part)

    def size(self) -> int:
        """Bytes of all parts together, which the prepared file does not exceed."""
        return sum(part.stat().st_size for part in self.folder.glob("*/*.h5"))

    def join(self, split: str, row: int, group: h5py.Group) -> None:
        """Copy a part to its place in the prepared file."""
        with self._open(split, row) as part:
            for name, dataset in part.items():
                mask, content = dataset.id.read_direct_chunk((0,) * dataset.ndim)
                group[name].id.write_direct_chunk((row, *(0,) * (dataset.ndim - 1)), content, mask)

    def close(self) -> None:
        """Give up the lock and keep the parts, if there are any; nothing if they are removed already."""
        if self._lock and not any(self.folder.glob("*/*.h5")):
            self.remove()
        self._lock.close()

    def remove(self) -> None:
        """Give up the lock and the parts."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def _open(self, split: str, row: int) -> AbstractContextManager[h5py.File]:
        place = self._part(split, row)
        return opened_hdf5(place, "part", format=_FORMAT, versions=[_FORMAT_VERSION])

    def _part(self, split: str, row: int) -> Path:
        return self.folder / split / f"{row:07d}.h5"


def _files(part: h5py.File) -> list[SourceFile]:
    return [SourceFile(*record) for record in json_value(attribute(part, "files"))]


def _digest(part: h5py.File) -> str:
    """SHA-256 of a part's arrays as they are stored, and of what is said of them."""
    found = hashlib.sha256(json.dumps([attribute(part, "files"), attribute(part, "account")]).encode())
    for name, array in part.items():
        if not isinstance(array, h5py.Dataset):
            raise DamagedError(f"{name} is no array")
        mask, content = array.id.read_direct_chunk((0,) * array.ndim)
        found.update(f"\0{name}\0{array.dtype}\0{array.shape}\0{mask}\0".encode() + content)
    return found.hexdigest()

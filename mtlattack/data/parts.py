"""Images of a prepared file under way: one small file each in a folder beside it, which a kill cannot harm.

Compressed chunks have no place before their size is known, so one HDF5 file cannot be laid out in advance as evidence
is. A part is written whole or not at all and never changed; joining the parts copies their compressed bytes.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.data.provenance import SourceFile
from mtlattack.errors import InputError
from mtlattack.files import check_room, whole_file, write_whole

LOCK = "lock"
"""Name of the file in the folder of parts that only one run can open for writing."""


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
        if record.is_file() and record.read_text(encoding="utf-8") == text:
            return
        shutil.rmtree(record.parent, ignore_errors=True)
        record.parent.mkdir()
        write_whole(record, text)

    def has(self, split: str, row: int, files: Sequence[SourceFile]) -> bool:
        """Whether a part is there that can be read and was made from these files."""
        try:
            return self.files_of(split, row) == list(files)
        except (OSError, KeyError, TypeError, ValueError):
            return False

    def exists(self, split: str, row: int) -> bool:
        """Whether there is a part, of these files or others."""
        return self._part(split, row).is_file()

    def files_of(self, split: str, row: int) -> list[SourceFile]:
        """The files that a part was made from."""
        with h5py.File(self._part(split, row)) as part:
            return [SourceFile(*record) for record in json.loads(part.attrs["files"])]

    def account_of(self, split: str, row: int) -> str:
        """The account of a part's labels, as it was given."""
        with h5py.File(self._part(split, row)) as part:
            return str(part.attrs.get("account", "{}"))

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
                part.attrs.update(told)

    def size(self) -> int:
        """Bytes of all parts together, which the prepared file does not exceed."""
        return sum(part.stat().st_size for part in self.folder.glob("*/*.h5"))

    def join(self, split: str, row: int, group: h5py.Group) -> None:
        """Copy a part to its place in the prepared file."""
        with h5py.File(self._part(split, row)) as part:
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

    def _part(self, split: str, row: int) -> Path:
        return self.folder / split / f"{row:07d}.h5"

"""Which source files a prepared file was made from, with sizes and SHA-256, and whether they are still the same."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import h5py
import numpy as np

from mtlattack.errors import InputError
from mtlattack.wording import counted

SOURCES = "sources"
"""The root data set of a prepared file that holds the records; it stands beside the splits, outside fingerprints."""
_DTYPE = np.dtype(
    [("split", h5py.string_dtype()), ("file", h5py.string_dtype()), ("bytes", "<u8"), ("sha256", h5py.string_dtype())]
)


@dataclass(frozen=True)
class SourceFile:
    """A file that was read: its name relative to the source's folder, with slashes, its size and its SHA-256."""

    file: str
    bytes: int
    sha256: str


def describe_file(path: Path, root: Path) -> SourceFile:
    """Size and hash of a source file, named relative to `root`; InputError if it is missing or cannot be read."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
    except FileNotFoundError:
        raise InputError(f"no file {path}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error})") from None
    # Beside the root is fine too: normals may come from a folder of their own.
    return SourceFile(PurePath(os.path.relpath(path, root)).as_posix(), size, digest)


def write_sources(file: h5py.File, records: Iterable[tuple[str, SourceFile]]) -> None:
    """Store (split, source file) pairs, each once; a file made from no files gets no such data set."""
    rows = [(split, x.file, x.bytes, x.sha256) for split, x in dict.fromkeys(records)]
    if rows:
        file.create_dataset(SOURCES, data=np.array(rows, _DTYPE))


def read_sources(file: h5py.File) -> list[tuple[str, SourceFile]]:
    """The stored (split, source file) pairs; InputError if they are damaged or something else."""
    item = file.get(SOURCES)
    if item is None:
        return []
    names = item.dtype.names if isinstance(item, h5py.Dataset) and item.ndim == 1 else None
    if names != _DTYPE.names:
        raise InputError(f"{SOURCES} is no list with the fields {', '.join(_DTYPE.names or ())}")
    try:
        return [
            (split.decode(), SourceFile(name.decode(), int(size), digest.decode()))
            for split, name, size, digest in item[:]
        ]
    except (OSError, UnicodeDecodeError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{SOURCES} cannot be read ({error})") from None


def compare_sources(records: Iterable[tuple[str, SourceFile]], folder: Path) -> Iterator[str | None]:
    """For each record what is wrong with that file in `folder` now, by name; None if it is what was recorded."""
    known: dict[SourceFile, str | None] = {}
    for _, record in records:
        if record not in known:
            known[record] = _difference(record, folder)
            yield known[record]
        else:
            yield None


def _difference(record: SourceFile, folder: Path) -> str | None:
    path = folder / record.file
    if not os.path.isfile(path):
        return f"{record.file} is missing in {folder}"
    size = path.stat().st_size
    if size != record.bytes:
        return f"{record.file} has {counted(size, 'byte')}, recorded are {record.bytes}"
    try:
        found = describe_file(path, folder).sha256
    except InputError as error:
        return str(error)
    return None if found == record.sha256 else f"{record.file} has the SHA-256 {found}, recorded is {record.sha256}"

"""Opening and reading the project's HDF5 files: each says its format and version, and nothing in it is taken on
trust."""

import json
import mmap
import os
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mtlattack.errors import InputError, one_line

# Of more strings than these bytes and texts are not in memory at once.
_STRINGS = 20_000
# What texts may take at once while nothing is known of their lengths.
_TEXT_BYTES = 2**28
# What gzip can make of a byte at most is 1,032.
_MOST_OF_A_BYTE = 1100
# Larger files are not looked through for heaps before they are opened.
_LOOKED_THROUGH = 64 * 2**20
_HEAP = b"GCOL\x01\0\0\0"
# Types of attributes that are read: over others a damaged file ends the process.
_READ = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM)


class DamagedError(Exception):
    """What is in a file is not what belongs there; see `reading`."""


def open_hdf5(path: Path, kind: str, *, format: str, versions: Collection[int], mode: str = "r") -> h5py.File:
    """Open a file of one of our formats; InputError if it is missing, truncated, foreign, or being written.

    `kind` is what the message calls it ("data", "evidence").
    """
    if not os.path.isfile(path):
        raise InputError(f"no {kind} file {path}")
    if mode == "r":
        _check_heaps(path)
    try:
        # Whoever reads takes no lock: it would stop the run that writes.
        file = h5py.File(path, mode, locking=False if mode == "r" else None)
    except BlockingIOError:
        raise InputError(f"{path} is being written by another run") from None
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path} is truncated or no HDF5 file ({_line(error)})") from None
    try:
        found = tuple(_plain(attribute(file, name)) for name in ("format", "format_version"))
    except (DamagedError, KeyError, OSError, RuntimeError, TypeError) as error:
        file.close()
        raise InputError(f"{path} is damaged ({_line(error)})") from None
    if found[0] != format or found[1] not in versions:
        file.close()
        expected = " or ".join(map(str, versions))
        raise InputError(f"{path} has format {found[0]!r} version {found[1]}, expected {format!r} {expected}")
    return file


@contextmanager
def opened_hdf5(
    path: Path, kind: str, *, format: str, versions: Collection[int], mode: str = "r"
) -> Iterator[h5py.File]:
    """The file of `open_hdf5`, closed at the end; where it is only read, what is damaged in it is an InputError."""
    with open_hdf5(path, kind, format=format, versions=versions, mode=mode) as file:
        with reading(path) if mode == "r" else nullcontext():
            yield file


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Inside, a DamagedError, and what h5py raises over a damaged file, become an InputError that names the file."""
    try:
        yield
    except InputError:
        raise
    except DamagedError as error:
        raise InputError(f"{path} is damaged: {error}") from None
    except (KeyError, TypeError, ValueError, OSError, RuntimeError, MemoryError) as error:
        # TypeErrors are of encodings that h5py does not know, and of names that are no text.
        # The system's own, a full disk for one, is not the file's.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(f"{path} is damaged ({_line(error)})") from None


def _check_heaps(path: Path) -> None:
    """InputError for a heap of texts in which HDF5 2.0 would look for ever: a free place in it has no size.

    Only where sizes in the file have 8 bytes, as h5py writes them.
    """
    size = path.stat().st_size
    if not 16 <= size <= _LOOKED_THROUGH:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content[14 if content[8] < 2 else 10] != 8:
            return
        place = content.find(_HEAP)
        while place >= 0:
            if place + 16 <= size and _is_endless(content, place, size):
                raise InputError(f"{path} is damaged: a list of texts in it does not end")
            place = content.find(_HEAP, place + 1)


def _is_endless(content: mmap.mmap, heap: int, size: int) -> bool:
    """Whether, from object to object of a heap, one stays where one is."""
    at, end = heap + 16, heap + int(struct.unpack_from("<Q", content, heap + 8)[0])
    while at + 16 <= min(end, size):
        index, _, length = struct.unpack_from("<HHxxxxQ", content, at)
        step = 16 + -(-length // 8) * 8 if index else length
        if step == 0:
            return True
        at += step
    return False


def array_of(group: h5py.Group, name: str, shape: tuple[int, ...], kinds: str) -> h5py.Dataset:
    """The array of that name; DamagedError unless it has this shape and a NumPy dtype of one of the `kinds` ("f")."""
    found = _item(group, name)
    if not isinstance(found, h5py.Dataset):
        raise DamagedError(f"{_place(group, name)} is missing, or no array")
    if found.shape != shape or found.dtype.kind not in kinds:
        expected = {"f": "floats", "u": "unsigned integers", "fu": "floats or unsigned integers"}[kinds]
        raise DamagedError(f"{_place(group, name)} is {found.dtype} {found.shape}, expected {expected} {shape}")
    check_stored(found)
    return found


def check_array(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """DamagedError unless there is an array of that name with this shape and exactly this type."""
    found = array_of(group, name, shape, np.dtype(dtype).kind)
    if found.dtype != dtype:
        raise DamagedError(f"{_place(group, name)} is {found.dtype}, expected {np.dtype(dtype)}")


def check_stored(array: h5py.Dataset) -> None:
    """DamagedError unless all of an array lies in its file, in which there are bytes for it: a bomb has none."""
    if array.external or array.is_virtual:
        raise DamagedError(f"{_place(array)} lies in other files")
    stored = min(array.id.get_storage_size(), _size(array))
    if array.nbytes > _MOST_OF_A_BYTE * stored:
        raise DamagedError(f"{_place(array)} claims {array.nbytes:,} bytes, of which {stored:,} are stored")


def check_inside(item: h5py.Group | h5py.Dataset, file: h5py.File) -> None:
    """DamagedError unless an item that was found in a file, through whatever links, is of that file."""
    if item.file.filename != file.filename:
        raise DamagedError(f"{_place(item)} lies in another file")


def group_of(group: h5py.Group, name: str) -> h5py.Group:
    """The group of that name; DamagedError where there is none."""
    found = _item(group, name)
    if not isinstance(found, h5py.Group):
        raise DamagedError(f"{_place(group, name)} is missing, or no group")
    return found


def strings_of(group: h5py.Group, name: str) -> list[str]:
    """A list of texts; DamagedError unless it is one."""
    found, texts, step, total = _strings(group, name), [], _STRINGS, 0
    if _is_of_any_length(found) and found.id.get_offset() is None:
        step = max(1, min(_STRINGS, _TEXT_BYTES // _size(found)))
    try:
        for begin in range(0, len(found), step):
            block = found[begin : begin + step]
            total += sum(map(len, block)) if _is_of_any_length(found) else 0
            _check_texts(found, total)
            texts += [text.decode() for text in block]
    except UnicodeDecodeError as error:
        raise DamagedError(f"{_place(found)} is no UTF-8 ({error})") from None
    return texts


def count_of(group: h5py.Group, name: str) -> int:
    """How many texts a list holds, which are not read; DamagedError unless it is one."""
    return len(_strings(group, name))


def _strings(group: h5py.Group, name: str) -> h5py.Dataset:
    found = _item(group, name)
    if not isinstance(found, h5py.Dataset) or found.ndim != 1 or h5py.check_string_dtype(found.dtype) is None:
        raise DamagedError(f"{_place(group, name)} is missing, or no list of texts")
    check_stored(found)
    offset = found.id.get_offset()
    if _is_of_any_length(found) and offset is not None:
        # Of each text a length, and where it lies; HDF5 takes memory for the length before it looks there.
        address, _ = found.file.id.get_create_plist().get_sizes()
        reference = np.dtype([("length", "<u4"), ("place", f"V{address + 4}")])
        references = np.fromfile(found.file.filename, reference, len(found), offset=offset)
        _check_texts(found, int(references["length"].sum(dtype=np.uint64)))
    return found


def _is_of_any_length(texts: h5py.Dataset) -> bool:
    """Whether each text lies elsewhere in the file, once."""
    return h5py.check_string_dtype(texts.dtype).length is None


def _check_texts(texts: h5py.Dataset, claimed: int) -> None:
    if claimed > _size(texts):
        raise DamagedError(f"{_place(texts)} claims {claimed:,} bytes of text, more than the file has")


def _item(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    item = group.get(name)
    if item is not None:
        check_inside(item, group.file)
    return item


def _size(item: h5py.Group | h5py.Dataset) -> int:
    """Bytes of the file."""
    return int(item.file.id.get_filesize())


def attribute(item: h5py.Group | h5py.Dataset, name: str) -> Any:
    """The value of an attribute, None where there is none; DamagedError for one that is neither numbers nor texts."""
    if name not in item.attrs:
        return None
    kind = h5py.h5a.open(item.id, name.encode("utf-8", "surrogateescape")).get_type().get_class()
    if kind not in _READ:
        raise DamagedError(f"attribute {name} holds neither numbers nor texts")
    return item.attrs[name]


def attributes_of(item: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """All attributes; DamagedError as for `attribute`."""
    return {name: attribute(item, name) for name in item.attrs}


def document_of(item: h5py.Group | h5py.Dataset, name: str) -> dict[str, Any]:
    """The JSON object that an attribute holds; DamagedError where it holds none."""
    text = _plain(attribute(item, name))
    if not isinstance(text, str):
        raise DamagedError(f"attribute {name} is missing, or no text")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"attribute {name} is no JSON ({_line(error)})") from None
    if not isinstance(document, dict):
        raise DamagedError(f"attribute {name} is no JSON object")
    return document


def _plain(value: Any) -> Any:
    """A text or number of an attribute; None for what is neither."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str | int | float):
        return value
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else None


def _place(item: h5py.Group | h5py.Dataset, name: str = "") -> str:
    return f"{item.name}/{name}".strip("/")


def _line(error: BaseException) -> str:
    return one_line(error)[:300]

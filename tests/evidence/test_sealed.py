"""The container of evidence: what is no sealed file is refused in words, early, and within bounds of memory."""

import gzip
import json
import lzma
import pickle
import re
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from compact_toys import compressed, safetensors_of
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load

from mtlattack.errors import InputError
from mtlattack.evidence.packing.sealed import MOST_EXPANDED, MOST_HEADER, seal, unseal
from mtlattack.wording import counted

DOCUMENT = {"format": "x", "list": [1, 2.5, None, "ß"]}
ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array([np.nan, -0.0]),
    "c": np.zeros((2, 0), np.uint8),
}
SEALED = seal(DOCUMENT, ARRAYS)
PLAIN = lzma.decompress(SEALED)
METADATA = {"mtlattack": "{}"}


@contextmanager
def memory_below(most: float) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def refused(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        unseal(data)


def test_what_was_sealed_comes_back() -> None:
    document, arrays = unseal(SEALED)
    assert document == DOCUMENT and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()


def test_it_is_xz_of_safetensors_as_others_read_it() -> None:
    found = load(PLAIN)
    assert all(np.array_equal(found[name], array, equal_nan=True) for name, array in ARRAYS.items())
    size = struct.unpack("<Q", PLAIN[:8])[0]
    assert json.loads(json.loads(PLAIN[8 : 8 + size])["__metadata__"]["mtlattack"]) == DOCUMENT


def test_equal_things_have_equal_bytes_wherever_they_lie_in_memory() -> None:
    strided = {name: np.asfortranarray(array) for name, array in reversed(ARRAYS.items())}
    assert seal(dict(reversed(DOCUMENT.items())), strided) == SEALED


def test_what_is_too_large_is_not_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlattack.evidence.packing.sealed.MOST_EXPANDED", len(PLAIN))
    assert seal(DOCUMENT, ARRAYS) == SEALED
    assert unseal(SEALED)[0] == DOCUMENT
    monkeypatch.setattr("mtlattack.evidence.packing.sealed.MOST_EXPANDED", len(PLAIN) - 1)
    with pytest.raises(InputError, match=f"it has {len(PLAIN)} bytes before compression, at most {len(PLAIN) - 1}"):
        seal(DOCUMENT, ARRAYS)
    refused(SEALED, f"this expands to more than the {len(PLAIN) - 1} bytes")


def _hdf5(folder: Path) -> bytes:
    with h5py.File(folder / "a.h5", "w") as file:
        file["x"] = np.zeros(10)
    return (folder / "a.h5").read_bytes()


def _zip(folder: Path) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("x", PLAIN)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "make",
    [
        _hdf5,
        _zip,
        lambda folder: pickle.dumps(DOCUMENT),
        lambda folder: gzip.compress(PLAIN),
        lambda folder: lzma.compress(PLAIN, format=lzma.FORMAT_ALONE),
        lambda folder: PLAIN,
        lambda folder: b"\xfd7zXY" + SEALED[5:],
        lambda folder: b"<!DOCTYPE html>",
    ],
    ids=["hdf5", "zip", "pickle", "gzip", "lzma", "safetensors", "magic", "html"],
)
def test_other_formats_are_refused(make: Any, tmp_path: Path) -> None:
    refused(make(tmp_path), "this is no xz file that may be read")


def test_what_is_truncated_is_refused() -> None:
    for end in range(len(SEALED)):
        refused(SEALED[:end], "this is truncated")


@pytest.mark.parametrize("more", [b"\0", b"\0\0\0\0", b"x", SEALED], ids=["zero", "padding", "byte", "stream"])
def test_nothing_may_stand_behind_the_end(more: bytes) -> None:
    refused(SEALED + more, f"this has {counted(len(more), 'byte')} behind its end")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(place: int, change: int) -> None:
    data = bytearray(SEALED)
    data[place] ^= change
    with pytest.raises(InputError):
        unseal(bytes(data))


@pytest.mark.parametrize("check", [lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_SHA256])
def test_another_check_is_refused(check: int) -> None:
    refused(compressed(PLAIN, check), "this has no CRC64 check")


def test_a_bomb_is_refused_before_it_is_blown_up() -> None:
    compressor = lzma.LZMACompressor(check=lzma.CHECK_CRC64, preset=0)
    zeros = bytes(2**24)
    data = b"".join(compressor.compress(zeros) for _ in range(8)) + compressor.flush()
    assert len(data) < 100_000
    with memory_below(2.2 * MOST_EXPANDED):
        refused(data, "this expands to more than the 67,108,864 bytes that are allowed")


def test_a_dictionary_that_takes_much_memory_is_refused() -> None:
    # Block header: size, flags, filter LZMA2 and the length of its options, log of the dictionary's size, padding, CRC.
    header = bytearray(SEALED[12:20])
    assert header[:4] == b"\x02\x00\x21\x01"
    for log_size, fits in ((22, True), (25, False), (40, False)):  # 8 MiB, 24 MiB, 4 GiB − 1
        header[4] = log_size
        data = SEALED[:12] + header + struct.pack("<I", zlib.crc32(header)) + SEALED[24:]
        if fits:
            assert unseal(data)[0] == DOCUMENT
            continue
        with memory_below(2**20):
            refused(data, "this is no xz file that may be read (Memory usage limit exceeded)")


HEADERS: list[tuple[bytes, str]] = [
    (b"", "this holds no safetensors (its header is truncated)"),
    (PLAIN[:7], "its header is truncated"),
    (struct.pack("<Q", 2**63) + b"{}", "its header is truncated"),
    (struct.pack("<Q", 3) + b"{}", "its header is truncated"),
    (safetensors_of(b""), "this is no JSON"),
    (safetensors_of([]), "its header is no object"),
    (safetensors_of({}), "its header has no metadata of 'mtlattack' alone"),
    (safetensors_of({"__metadata__": {}}), "no metadata of 'mtlattack' alone"),
    (safetensors_of({"__metadata__": {"mtlattack": {}}}), "no metadata of 'mtlattack' alone"),
    (safetensors_of({"__metadata__": {**METADATA, "x": "y"}}), "no metadata of 'mtlattack' alone"),
    (safetensors_of({"__metadata__": {"mtlattack": "[]"}}), "its metadata is no object"),
    (safetensors_of({"__metadata__": {"mtlattack": '{"a": NaN}'}}), "JSON has NaN"),
    (safetensors_of({"__metadata__": {"mtlattack": '{"a":' * 40}}), "JSON is nested more than 32 deep"),
    (safetensors_of({"__metadata__": {"mtlattack": '{"a": 1, "a": 2}'}}), "JSON has the key 'a' twice"),
    (safetensors_of(b"[" * 100_000), "JSON is nested more than 4 deep"),
    (safetensors_of(b'{"__metadata__": {}, "__metadata__": {"mtlattack": "{}"}}'), "the key '__metadata__' twice"),
    (safetensors_of(b" " * (MOST_HEADER + 1)), "JSON has 2,097,153 bytes, at most 2,097,152 are read"),
]


@pytest.mark.parametrize("plain, message", HEADERS, ids=[f"{i}" for i in range(len(HEADERS))])
def test_a_header_of_the_wrong_kind_is_refused(plain: bytes, message: str) -> None:
    with memory_below(4 * len(plain) + 2**22):
        refused(compressed(plain), message)


@pytest.mark.parametrize(
    "entry, body",
    [
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, b"1234"),
        ({"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, b"12345678"),
        ({"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}, b"12345678"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}, b"1234"),
        ({"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}, b"1234"),
        ({"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}, b"1234"),
        ({"dtype": "F32", "shape": [2**53, 2**53], "data_offsets": [0, 0]}, b""),
        ({"dtype": "F32", "shape": 1, "data_offsets": [0, 4]}, b"1234"),
        ({"dtype": "O", "shape": [1], "data_offsets": [0, 8]}, b"12345678"),
        ({"dtype": "U8", "shape": [1]}, b"1"),
        ([], b""),
        (None, b""),
    ],
)
def test_arrays_that_do_not_fit_their_bytes_are_refused(entry: Any, body: bytes) -> None:
    refused(compressed(safetensors_of({"__metadata__": METADATA, "a": entry}, body)), "this holds no safetensors (")


def test_arrays_that_share_bytes_are_refused() -> None:
    entry = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
    refused(compressed(safetensors_of({"__metadata__": METADATA, "a": entry, "b": entry}, b"1")), "no safetensors (")


@pytest.mark.parametrize("dtype, size", [("BF16", 2), ("I64", 8), ("BOOL", 1), ("F16", 2)])
def test_arrays_of_other_types_are_refused(dtype: str, size: int) -> None:
    entry = {"dtype": dtype, "shape": [1], "data_offsets": [0, size]}
    plain = safetensors_of({"__metadata__": METADATA, "a\n": entry}, bytes(size))
    refused(compressed(plain), rf"'a\n' has type {dtype}, expected one of F64, F32, U8")


def test_many_empty_arrays_take_little_memory() -> None:
    entry = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    plain = safetensors_of({"__metadata__": METADATA, **{f"{i:x}": entry for i in range(10_000)}})
    assert len(plain) < MOST_HEADER
    with memory_below(50e6):
        assert len(unseal(compressed(plain))[1]) == 10_000


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_bytes_inside_are_refused_in_words_or_read(data: st.DataObject) -> None:
    plain = bytearray(PLAIN)
    start = data.draw(st.integers(0, len(plain)))
    plain[start : start + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        document, arrays = unseal(compressed(bytes(plain)))
    except InputError:
        return
    assert isinstance(document, dict) and all(array.dtype.kind in "fu" for array in arrays.values())

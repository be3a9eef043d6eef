"""A JSON document and arrays in one small file that is safe to read from a stranger: xz of safetensors.

The safetensors header's one entry of metadata, `mtlattack`, is the document's canonical JSON.
"""

import lzma
import struct
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save

from mtlattack.canonical import canonical_json
from mtlattack.errors import InputError, one_line
from mtlattack.evidence.packing.stacking import Arrays
from mtlattack.reading.strict_json import parse_json
from mtlattack.wording import counted

# Four times what 4 MiB of evidence hold: a number takes some 2 bytes before xz and 0.6 after it.
MOST_EXPANDED = 64 * 2**20
MOST_HEADER = 2 * 2**20

_METADATA = "mtlattack"
# More of the byte before as context, nothing of the position: these are bytes, not words. Found by trying.
_FILTER = {"id": lzma.FILTER_LZMA2, "preset": 6 | lzma.PRESET_EXTREME, "lc": 4, "pb": 0}
# The preset's dictionary; one as large as the bytes does as well, and a large one takes longer to clear than to fill.
_LEAST_DICTIONARY, _DICTIONARY = 2**12, 2**23
# Twice what that dictionary needs.
_MOST_DICTIONARY = 2**24
_TYPES: dict[str, np.dtype[Any]] = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "U8": np.dtype("u1")}


def seal(document: dict[str, Any], arrays: Arrays) -> bytes:
    """The bytes of both, the same for the same; InputError for a document that is no JSON, and for arrays beyond
    MOST_EXPANDED."""
    try:
        metadata = canonical_json(document).decode()
    except (TypeError, ValueError) as error:
        raise InputError(f"it cannot be written as JSON ({error})") from None
    # What is written is memory, in whatever order it lies.
    plain = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {_METADATA: metadata})
    if len(plain) > MOST_EXPANDED:
        raise InputError(f"it has {len(plain):,} bytes before compression, at most {MOST_EXPANDED:,} are allowed")
    dictionary = min(max(len(plain), _LEAST_DICTIONARY), _DICTIONARY)
    filters = [{**_FILTER, "dict_size": dictionary}]
    return lzma.compress(plain, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=filters)


def unseal(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Document and arrays (float64, float32, uint8) that were sealed; InputError for whatever else `data` is.

    Takes at most some 3 × MOST_EXPANDED of memory: one whole xz stream with a CRC64, its dictionary, what it expands to
    and the header are bounded, and the JSON is strict (`strict_json`).
    """
    plain = _decompress(data)
    document = _document(_header(plain))
    try:
        stored = safetensors.deserialize(plain)
    except safetensors.SafetensorError as error:
        raise InputError(f"this holds no safetensors ({one_line(error)[:300]})") from None
    for name, tensor in stored:
        if tensor["dtype"] not in _TYPES:
            raise InputError(f"{name[:60]!a} has type {tensor['dtype']}, expected one of {', '.join(_TYPES)}")
    return document, {name: np.frombuffer(x["data"], _TYPES[x["dtype"]]).reshape(x["shape"]) for name, x in stored}


def _decompress(data: bytes) -> bytes:
    try:
        decompressor = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MOST_DICTIONARY)
        plain = decompressor.decompress(data, max_length=MOST_EXPANDED + 1)
    except lzma.LZMAError as error:
        raise InputError(f"this is no xz file that may be read ({error})") from None
    if len(plain) > MOST_EXPANDED:
        raise InputError(f"this expands to more than the {MOST_EXPANDED:,} bytes that are allowed")
    if not decompressor.eof:
        raise InputError("this is truncated")
    if decompressor.unused_data:
        raise InputError(f"this has {counted(len(decompressor.unused_data), 'byte')} behind its end")
    if decompressor.check != lzma.CHECK_CRC64:
        raise InputError("this has no CRC64 check")
    return plain


def _header(plain: bytes) -> dict[str, Any]:
    """What a safetensors file says of itself: `__metadata__`, and one entry an array."""
    size = struct.unpack("<Q", plain[:8])[0] if len(plain) >= 8 else 2**64
    if size > len(plain) - 8:
        raise InputError("this holds no safetensors (its header is truncated)")
    header = parse_json(plain[8 : 8 + size], most_bytes=MOST_HEADER, most_depth=4)
    if not isinstance(header, dict):
        raise InputError("its header is no object")
    return header


def _document(header: dict[str, Any]) -> dict[str, Any]:
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or list(metadata) != [_METADATA] or not isinstance(metadata[_METADATA], str):
        raise InputError(f"its header has no metadata of {_METADATA!r} alone")
    document = parse_json(metadata[_METADATA].encode(), most_bytes=MOST_HEADER)
    if not isinstance(document, dict):
        raise InputError("its metadata is no object")
    return document

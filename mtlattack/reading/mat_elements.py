"""The structure of a MATLAB file of version 5 to 7, looked through before scipy, which trusts it, reads it.

A file is elements: a type, a size, so many bytes. Some hold elements in turn: matrices their flags, sizes, name and
values, compressed ones a matrix.
"""

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from typing import NamedTuple

from mtlattack.errors import InputError

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_UINT32 = 6
_TEXT, _WHOLE = (1, 16), (5, _UINT32)
_KINDS = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18, _MATRIX, _COMPRESSED}
_CELL, _STRUCT, _CHAR = 1, 2, 4
_READ = (_CELL, _STRUCT, _CHAR, *range(6, 16))
"""Classes of matrices that are read: cells, structs, text and numbers."""
_DEEPEST = 8
_MOST_BYTES = 2**29


class _Element(NamedTuple):
    kind: int
    content: memoryview


def check_elements(content: bytes, variables: Collection[str]) -> None:
    """InputError unless the named `variables` are laid out as MATLAB does, with sizes that fit into the file.

    Files of version 4 and 7.3, which have other parts, are not looked at.
    """
    if len(content) < _HEADER or 0 in content[:4]:
        return
    order = "<" if content[126:128] == b"IM" else ">"
    if content[125 if order == "<" else 124] != 1:
        return
    names = {name.encode() for name in variables}
    for element in _elements(memoryview(content)[_HEADER:], order):
        found = _inflated(element, order) if element.kind == _COMPRESSED else element
        if found.kind == _MATRIX and found.content:
            _check_matrix(found.content, order, names, 0)


def _elements(content: memoryview, order: str) -> Iterator[_Element]:
    place = 0
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(order + "II", content, place)
        begin = place + 8
        room = len(content) - begin
        if kind >> 16:  # Up to 4 bytes stand where the size would, which is then in one word with the type.
            kind, size, begin, room = kind & 0xFFFF, kind >> 16, place + 4, 4
        if kind not in _KINDS or size > room:
            raise InputError(f"an element of type {kind} claims {size:,} bytes, of which {room:,} are there")
        yield _Element(kind, content[begin : begin + size])
        place = begin + size + (0 if kind == _COMPRESSED else -(begin + size - place) % 8)


def _inflated(element: _Element, order: str) -> _Element:
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(element.content, _MOST_BYTES)
    except zlib.error as error:
        raise InputError(str(error)) from None
    if unpacking.unconsumed_tail:
        raise InputError(f"a variable is larger than {_MOST_BYTES:,} bytes")
    return next(_elements(memoryview(content), order), _Element(_MATRIX, memoryview(b"")))


def _check_matrix(content: memoryview, order: str, names: Collection[bytes], depth: int) -> None:
    """InputError unless flags, sizes and a name come first, and then as many values as they say."""
    parts = list(_elements(content, order))
    if depth == 0 and not any(bytes(part.content) in names for part in parts[:3] if part.kind in _TEXT):
        return  # Nobody asks for it, and it may be of a class that has other parts.
    kinds = ((_UINT32,), _WHOLE, _TEXT)
    if len(parts) < 3 or any(part.kind not in each for part, each in zip(parts, kinds, strict=False)):
        raise InputError("a variable has no flags, sizes and name")
    if len(parts[0].content) < 8:
        raise InputError("a variable has too few flags")
    kind = struct.unpack_from(order + "I", parts[0].content)[0] & 0xFF
    sizes = struct.unpack_from(f"{order}{len(parts[1].content) // 4}i", parts[1].content)
    count, values = math.prod(sizes), parts[3:]
    if kind not in _READ or min(sizes, default=-1) < 0 or depth > _DEEPEST:
        raise InputError(f"a variable of class {kind} and size {sizes}, nested {depth} deep, is not read")
    inner = [part for part in values if part.kind == _MATRIX]
    if count > max(len(inner), sum(len(part.content) for part in values)):
        raise InputError(f"a variable claims {count:,} values, more than are there")
    for part in inner:
        if part.content:
            _check_matrix(part.content, order, names, depth + 1)

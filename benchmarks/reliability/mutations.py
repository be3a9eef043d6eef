"""What somebody may do to a file: to its bytes, to the document in it, to its HDF5 tree, to its tensors' header."""

import csv
import functools
import gzip
import io
import json
import lzma
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

DEEP = 100_000
LOOK_ALIKES = str.maketrans({"a": "а", "e": "е", "o": "о", "i": "і", "c": "с", "s": "ѕ"})
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, -(2**63), 0.0, -0.0, 0.5, 1e-320, 1e308, "", "a", "\n", "\x00",
    "\u202e", "\ud800", "x" * 100_000, "../../../outside/x", "/outside/x", "file:///etc/passwd", "C:\\x", "~/x",
    "$(touch outside)", "__import__('os').system('touch outside')", "NaN", "1" * 5000, [], {}, [[]], [1] * 1000,
    {"__class__": "os.system"}, {"$ref": "file:///etc/passwd"},
)  # fmt: skip
# As text in JSON or TOML, since no document holds them.
RAW = ("NaN", "Infinity", "-Infinity", "nan", "inf", "1e999", "9" * 5000, "0x10", "[" * DEEP, '{"a":' * DEEP, "\\ud800")
Mutation = Callable[[bytes, Random], bytes]


# --- bytes


def change_bytes(data: bytes, random: Random) -> bytes:
    """Bits flipped, a part cut, doubled, moved, overwritten or made up."""
    content, place = bytearray(data), random.randrange(max(len(data), 1))
    size = min(random.choice((1, 2, 4, 8, 64, 512)), len(data) - place)
    how = random.randrange(8)
    if how <= 2:
        for _ in range(random.choice((1, 1, 2, 8))):
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    elif how == 3:
        del content[place:]
    elif how == 4:
        del content[place : place + size]
    elif how == 5:
        content[place:place] = content[place : place + size] * random.choice((1, 2, 100))
    elif how == 6:
        content[place : place + size] = random.choice((b"\x00", b"\xff", b"\x7f")) * size
    else:
        content[place : place + size] = random.randbytes(size)
    return bytes(content)


# --- documents


def change_document(document: Any, random: Random) -> Any:
    """One thing of a document another, near, gone, doubled or under another name; in place."""
    parents = [found for found in _containers(document) if found]
    parent = random.choice(parents)
    key = random.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    value, how = parent[key], random.randrange(7)
    if how == 0:
        del parent[key]
    elif how == 1 and isinstance(value, bool | int | float):
        parent[key] = random.choice((-value, value + 1, value * 2, float(value), str(value), [value], value * 1e300))
    elif how == 2 and isinstance(value, str):
        parent[key] = random.choice((value.upper(), value + " ", value[:-1], value.translate(LOOK_ALIKES), value * 2))
    elif how == 3 and isinstance(parent, dict):
        parent[str(key).translate(LOOK_ALIKES)] = parent.pop(key)
    elif how == 4 and isinstance(parent, dict):
        parent[random.choice(("extra", "__proto__", "../x", "", "\x00"))] = random.choice(HOSTILE)
    elif how == 5 and isinstance(value, list):
        value.reverse() if random.random() < 0.5 else value.extend(value)
    else:
        parent[key] = random.choice(HOSTILE)
    return document


def _containers(document: Any) -> list[Any]:
    below = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    own = [document] if isinstance(document, dict | list) else []
    return own + [found for value in below for found in _containers(value)]


def change_json(data: bytes, random: Random) -> bytes:
    """A JSON document changed; sometimes as text: NaN, endless numbers, depth, keys twice."""
    how = random.randrange(6)
    if how == 0:
        return _in_text(data, random)
    document = change_document(json.loads(data), random)
    text = json.dumps(document, ensure_ascii=random.random() < 0.5)
    if how == 1 and isinstance(document, dict) and document:
        key = random.choice(list(document))
        text = "{" + json.dumps(key) + ": " + json.dumps(random.choice(HOSTILE)) + ", " + text[1:]
    return text.encode("utf-8", "surrogatepass")


def change_lines(data: bytes, random: Random) -> bytes:
    """One line of several JSON documents changed, gone, doubled, or moved."""
    lines = data.splitlines(keepends=True)
    place = random.randrange(len(lines))
    how = random.randrange(6)
    if how == 0:
        del lines[place]
    elif how == 1:
        lines.insert(random.randrange(len(lines) + 1), lines[place])
    elif how == 2:
        random.shuffle(lines)
    else:
        lines[place] = change_json(lines[place], random) + b"\n"
    return b"".join(lines)


def change_text(data: bytes, random: Random) -> bytes:
    """A line of TOML gone, doubled, or with another value."""
    lines = data.decode().splitlines()
    place = random.randrange(len(lines))
    how = random.randrange(5)
    if how == 0:
        del lines[place]
    elif how == 1:
        lines.append(lines[place])
    elif how == 2:
        lines[place] = lines[place].translate(LOOK_ALIKES)
    elif "=" in lines[place]:
        name = lines[place].partition("=")[0]
        value = random.choice(RAW) if how == 3 else json.dumps(random.choice(HOSTILE))
        lines[place] = f"{name}= {value}"
    else:
        lines.insert(place, random.choice(("[", "[[x]]", "a.b.c = 1", "= 1", "\x00", "x = '''")))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def change_table(data: bytes, random: Random) -> bytes:
    """A cell of a CSV table another, or a row or column gone, doubled or moved."""
    rows = list(csv.reader(io.StringIO(data.decode())))
    place, how = random.randrange(len(rows)), random.randrange(8)
    if how == 0:
        del rows[place]
    elif how == 1:
        rows.insert(random.randrange(len(rows) + 1), rows[place])
    elif how == 2:
        random.shuffle(rows)
    elif how == 3:
        column = random.randrange(len(rows[0]))
        rows = [row[:column] + row[column + 1 :] for row in rows]
    else:
        cell = random.randrange(len(rows[place]))
        value = random.choice((*RAW, "1e308", "-1e308", "5e-324", "1_0", " 1", "0x1", "", *map(str, HOSTILE)))
        rows[place][cell] = random.choice((value, rows[place][cell] * 2, rows[place][cell].translate(LOOK_ALIKES)))
    text = io.StringIO()
    csv.writer(text, lineterminator=random.choice(("\n", "\n", "\r\n", "\r"))).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _in_text(data: bytes, random: Random) -> bytes:
    places = [place for place, byte in enumerate(data) if byte in b":,["]
    place = random.choice(places) + 1
    end = next((e for e in range(place, len(data)) if data[e] in b",}]"), len(data))
    return data[:place] + random.choice(RAW).encode() + data[end:]


# --- tensors


def change_safetensors(data: bytes, random: Random) -> bytes:
    """The header changed, or the length that it claims."""
    (size,) = struct.unpack("<Q", data[:8])
    if random.random() < 0.1:
        size = random.choice((0, 1, size - 1, size + 1, len(data), 2**31, 2**63, 2**64 - 1))
        return struct.pack("<Q", size) + data[8:]
    text = change_json(data[8 : 8 + size], random)
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def change_sealed(data: bytes, random: Random) -> bytes:
    """What is inside xz changed, or a bomb in its place."""
    if random.random() < 0.02:
        return _zeros(random.choice((2**20, 2**27))) * random.choice((1, 3))
    inner = change_safetensors if random.random() < 0.5 else change_bytes
    return lzma.compress(inner(lzma.decompress(data), random), preset=0)


@functools.cache
def _zeros(size: int) -> bytes:
    return lzma.compress(bytes(size), preset=0)


# --- archives, arrays, images


def change_gzip(data: bytes, random: Random) -> bytes:
    """What is inside gzip changed, or a bomb in its place."""
    if random.random() < 0.02:
        return _zeros_gzip(random.choice((2**20, 2**31)))
    return gzip.compress(change_bytes(gzip.decompress(data), random), 1)


@functools.cache
def _zeros_gzip(size: int) -> bytes:
    packed, block = zlib.compressobj(9, wbits=31), bytes(2**20)
    return b"".join(packed.compress(block) for _ in range(size // len(block))) + packed.flush()


def in_archive(inner: Mutation) -> Mutation:
    """One member of a zip archive changed, gone, doubled or under another name."""

    def change(data: bytes, random: Random) -> bytes:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name, how = random.choice(list(members)), random.randrange(8)
        if how == 0:
            del members[name]
        elif how == 1:
            members[random.choice(("../x", "/outside/x", name + "x"))] = members.pop(name)
        elif how == 2:
            members[name] = random.choice(list(members.values()))
        else:
            members[name] = inner(members[name], random)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return packed.getvalue()

    return change


def change_npy(data: bytes, random: Random) -> bytes:
    """An array of another shape or type, with values that are none, or a header that lies."""
    array, how = np.load(io.BytesIO(data)), random.randrange(6)
    if how == 0:
        array = array.reshape(random.choice(((-1,), (1, *array.shape), array.shape[::-1], (*array.shape, 1))))
    elif how == 1:
        array = array.astype(random.choice(("f2", "f8", "i8", "u1", "?", "c8", "U9", ">f4", "V3")))
    elif how == 2:
        array = array[:0]
    elif how == 3 and array.size and array.dtype.kind == "f":
        array.reshape(-1)[random.randrange(array.size)] = random.choice((np.nan, np.inf, -np.inf, 1e38, -1, 0))
    elif how == 4:
        return data[:10] + data[10:128].replace(b"(", random.choice((b"(9999999,", b"(-1,", b"(1e9,"))) + data[128:]
    else:
        array = array.repeat(2, random.randrange(array.ndim))
    stored = io.BytesIO()
    np.save(stored, array)
    return stored.getvalue()


def change_png(data: bytes, random: Random) -> bytes:
    """Another size, depth or kind of colours in a header whose checksum is right, or a chunk gone, doubled or moved."""
    chunks, place = [], 8
    while place + 8 <= len(data):
        (size,) = struct.unpack(">I", data[place : place + 4])
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    which, how = random.randrange(len(chunks)), random.randrange(5)
    if how <= 1:
        width, height, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
        side = random.choice((0, 1, width, height, 20_000, 2**31 - 1))
        width, height = random.choice(((side, height), (width, side), (side, side)))
        rest[random.randrange(5)] = random.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        chunks[0] = b"IHDR", struct.pack(">IIBBBBB", width, height, *rest)
    elif how == 2:
        chunks[which] = random.choice((b"zTXt", b"iCCP", b"acTL", b"eXIf")), b"x\0\0" + zlib.compress(bytes(2**20))
    elif how == 3:
        chunks.insert(random.randrange(len(chunks)), chunks[which])
    else:
        chunks[which] = chunks[which][0], change_bytes(chunks[which][1] or b"x", random)
    parts = [struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
             for kind, body in chunks]  # fmt: skip
    return data[:8] + b"".join(parts)


# --- HDF5


def change_hdf5(data: bytes, random: Random) -> bytes:
    """An attribute or data set of the tree gone, of another type or shape, NaN, endless, or a link elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "changing.h5"
        path.write_bytes(data)
        with h5py.File(path, "r+") as file:
            names: list[str] = []
            file.visit(names.append)
            name = random.choice(["/", *names])
            item, chance = file[name], random.random()
            if chance < 0.02:
                _bomb(file, names)
            elif chance < 0.04:
                _one_long_text(file, random.choice([name for name in names if name.rpartition("/")[2] == "id"]))
            elif item.attrs and (name == "/" or chance < 0.4):
                _change_attribute(item.attrs, random)
            elif name != "/":
                _change_item(file, name, random)
        return path.read_bytes()


def _bomb(file: h5py.File, names: list[str]) -> None:
    """All arrays as long as one another, and of none is anything stored."""
    for name in names:
        item = file[name]
        if isinstance(item, h5py.Dataset) and item.ndim:
            shape, dtype, attributes = (2**36, *item.shape[1:]), item.dtype, dict(item.attrs)
            del file[name]
            file.create_dataset(name, shape, dtype, chunks=True, compression="gzip").attrs.update(attributes)


def _one_long_text(file: h5py.File, name: str) -> None:
    """A hundred thousand references to one text of a list."""
    del file[name]
    made = file.create_dataset(name, (100_000,), h5py.string_dtype())
    made[0] = "x" * 50_000
    file.flush()
    place = made.id.get_offset()
    with open(file.filename, "r+b") as raw:
        raw.seek(place)
        first = raw.read(16)
        raw.seek(place)
        raw.write(first * len(made))


def _change_attribute(attributes: Any, random: Random) -> None:
    key = random.choice(list(attributes))
    value, how = attributes[key], random.randrange(5)
    if how == 0:
        del attributes[key]
    elif how == 1 and isinstance(value, str) and value[:1] in "{[":
        attributes[key] = change_json(value.encode(), random).decode("utf-8", "replace").replace("\x00", "?")
    elif how == 2:
        attributes[key] = random.choice((np.float32("nan"), np.inf, -1, 0, 2**62, np.zeros(3), np.bytes_(b"\xff\xfe")))
    elif how == 3:
        attributes[key] = random.choice(("", "x" * 60_000, "../outside", "\u202e", "nan"))
    else:
        attributes[key] = h5py.Empty("f")


def _change_item(file: h5py.File, name: str, random: Random) -> None:
    item, how = file[name], random.randrange(10)
    if how == 0 or not isinstance(item, h5py.Dataset):
        del file[name]
        if random.random() < 0.5:
            file[name] = random.choice((
                h5py.ExternalLink("/etc/passwd", "/"), h5py.SoftLink("/nowhere"), h5py.SoftLink("/"),
                h5py.SoftLink(f"/{name}"), h5py.ExternalLink("changing.h5", "/"),
            ))  # fmt: skip
        return
    if how == 1 and item.size and item.dtype.kind in "fiu":
        flat = item[...].reshape(-1)
        for _ in range(random.choice((1, 10))):
            worst = (np.nan, np.inf, -1e30) if item.dtype.kind == "f" else (0, np.iinfo(item.dtype).max)
            flat[random.randrange(flat.size)] = random.choice(worst)
        item[...] = flat.reshape(item.shape)
        return
    attributes, shape, dtype = dict(item.attrs), item.shape, item.dtype
    del file[name]
    if how == 2:  # A bomb: nothing is stored of it, and reading it takes what it claims.
        made = file.create_dataset(name, (2**22, *shape[1:], 2**12), dtype="f8", chunks=True, compression="gzip")
    elif how == 3:
        made = file.create_dataset(name, data=np.zeros((0, *shape[1:])))
    elif how == 4:
        made = file.create_dataset(name, data=["x"] * max(shape[0] if shape else 1, 1))
    elif how == 5:
        made = file.create_dataset(name, data=np.zeros(shape, random.choice(("f2", "f8", "i8", "u1", "?", "c8"))))
    elif how == 6:
        made = file.create_dataset(name, data=np.zeros((*shape, 2), "f4"))
    elif how == 7 and dtype.kind != "O":
        made = file.create_dataset(name, shape, dtype, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])
    elif how == 8 and shape:
        made = file.create_dataset(name, shape, dtype, chunks=True)
    else:
        made = file.create_group(name)
    made.attrs.update(attributes if dtype.kind != "O" else {})

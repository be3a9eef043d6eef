"""MNIST as related tasks: each digit against the rest, or each pair of digits, on principal components."""

import gzip
import zlib
from itertools import combinations
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.sources.registry import READERS
from mtlattack.poisoning.tasks import Kind, TaskSet, make_tasks
from mtlattack.wording import counted

_UNSIGNED_BYTES = 8
# MNIST has 47 million.
_MOST_BYTES = 2**29


@READERS.register("mnist")
def read_mnist(folder: Path, tasks: str = "rest", components: str = "128", limit: str = "0") -> TaskSet:
    """Digits (LeCun, Cortes, Burges): `train-images-idx3-ubyte` and `-labels-idx1-`, else `t10k-…`, packed or not.

    `tasks` is `rest` (10) or `pairs` (45); `components` how many principal components of all images are kept; `limit`
    takes the first so many images alone.
    """
    if tasks not in ("rest", "pairs"):
        raise InputError(f"tasks {tasks!r}, expected rest or pairs")
    images, digits = _read_split(folder)
    chosen = slice(None) if (most := _whole(limit, "limit", 0)) == 0 else slice(most)
    images, digits = images[chosen].reshape(len(images[chosen]), -1) / 255, digits[chosen]
    x = principal_components(images, _whole(components, "components", 1))
    if tasks == "rest":
        points = [(x, (digits == digit).astype(float)) for digit in range(10)]
        return make_tasks(Kind.CLASSIFICATION, points, [str(d) for d in range(10)], [np.arange(len(x))] * 10)
    pairs = list(combinations(range(10), 2))
    either = [np.isin(digits, pair) for pair in pairs]
    points = [(x[mask], (digits[mask] == pair[1]).astype(float)) for pair, mask in zip(pairs, either, strict=True)]
    rows = [np.flatnonzero(mask) for mask in either]
    return make_tasks(Kind.CLASSIFICATION, points, [f"{first}v{second}" for first, second in pairs], rows)


def principal_components(values: Array, count: int) -> Array:
    """Values `[n, k]` along the `count` directions in which they vary most; InputError if there are less."""
    if not 1 <= count <= min(values.shape):
        raise InputError(f"components {count}, expected 1 to {min(values.shape)}")
    centred = values - values.mean(0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return centred @ directions[:, ::-1][:, :count]


def read_idx(path: Path) -> NDArray[Any]:
    """An array of unsigned bytes in MNIST's format: 0, 0, 8, dimensions, sizes as big-endian 32-bit numbers, bytes."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            magic = file.read(4)
            sizes = file.read(4 * magic[3]) if len(magic) == 4 else b""
            if magic[:3] != bytes((0, 0, _UNSIGNED_BYTES)) or not sizes or len(sizes) < 4 * magic[3]:
                raise InputError(f"{path} is no IDX file of unsigned bytes")
            shape = [int(side) for side in np.frombuffer(sizes, ">u4")]
            count = prod(shape)
            if count > _MOST_BYTES:
                raise InputError(f"{path} claims {count:,} bytes, at most {_MOST_BYTES:,} are read")
            data = file.read(count + 1)  # One more than there are: of what is packed nobody knows how much it is.
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path} ({error})") from None
    if len(data) != count:
        found = counted(len(data), "byte") if len(data) < count else f"more than {count:,} bytes"
        raise InputError(f"{path} holds {found}, expected {' × '.join(map(str, shape))}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _read_split(folder: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    for split in ("train", "t10k"):
        paths = [_find(folder, f"{split}-{what}-ubyte") for what in ("images-idx3", "labels-idx1")]
        if paths[0] and paths[1]:
            images, digits = read_idx(paths[0]), read_idx(paths[1])
            if images.ndim != 3 or digits.shape != images.shape[:1] or digits.max(initial=0) > 9:
                raise InputError(f"{paths[0]} is {images.shape} and {paths[1].name} {digits.shape}, expected digits")
            return images, digits
    raise InputError(f"{folder} has no train-images-idx3-ubyte and train-labels-idx1-ubyte, nor t10k-…, packed or not")


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _whole(text: str, name: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise InputError(f"{name} {text!r}, expected a whole number from {least} on")
    return int(text)

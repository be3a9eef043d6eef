"""Arrays that stay in their file: parts of them come into memory, and none of them stays there."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mapped(path: str | Path, dtype: np.dtype[Any], offset: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """A view of what a file holds from byte `offset` on."""
    return np.memmap(path, dtype, "r", offset, shape)


def part_of(values: NDArray[Any], rows: slice) -> NDArray[Any]:
    """Some rows of an array: a view of one in memory; of one that lies in a file a copy, float64, after which none of
    its pages is resident."""
    mapping = _mapping_of(values)
    if mapping is None:
        return values[rows]
    copy = np.array(values[rows], np.float64)
    if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows, which drops pages when it must
        mapping.madvise(mmap.MADV_DONTNEED)
    return copy


def _mapping_of(values: NDArray[Any]) -> mmap.mmap | None:
    """The mapped file that an array, or what it is a view of, lies in."""
    base: object = values
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None

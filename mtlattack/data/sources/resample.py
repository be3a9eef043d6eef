"""From a source's frame to the prepared size: images by area, labels by picking pixels, which invents no class."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_Number = TypeVar("_Number", bound=np.generic)


def check_size(size: tuple[int, int], source: tuple[int, int]) -> None:
    """Refuse a (height, width) below 1 or beyond the source's: labels that nobody drew would be made up."""
    if any(not 1 <= wanted <= there for wanted, there in zip(size, source, strict=True)):
        raise InputError(f"size {size[0]}x{size[1]}, expected 1x1 to {source[0]}x{source[1]}, the size of the source")


def picked(wanted: int, there: int) -> NDArray[np.intp]:
    """The source rows (or columns) under the centres of `wanted` prepared ones: 2, 6, 10, … for a factor of 4."""
    return ((2 * np.arange(wanted) + 1) * there // (2 * wanted)).astype(np.intp)


def pick(label: NDArray[_Number], size: tuple[int, int]) -> NDArray[_Number]:
    """A label `[H, W, …]` at `size` (height, width): the pixels under the new pixels' centres."""
    rows, columns = picked(size[0], label.shape[0]), picked(size[1], label.shape[1])
    chosen: NDArray[_Number] = label[np.ix_(rows, columns)]
    return chosen


def average(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """An image uint8 `[H, W, 3]` at `size` (height, width): the mean over the area under each new pixel."""
    tall, wide, channels = image.shape
    squeezed = _shares(size[0], tall) @ image.reshape(tall, -1).astype(np.float64)
    columns_first = squeezed.reshape(size[0], wide, channels).transpose(1, 0, 2).reshape(wide, -1)
    mean = (_shares(size[1], wide) @ columns_first).reshape(size[1], size[0], channels).transpose(1, 0, 2)
    # The offset sends sums that are a hair below k + 1/2 for want of precision to the same side as exact ones.
    rounded: NDArray[np.uint8] = np.floor(mean + 0.5 + 1e-9).astype(np.uint8)
    return rounded


@lru_cache(maxsize=16)
def _shares(wanted: int, there: int) -> csr_array:
    """Sparse `[wanted, there]`: the share of each source row in each prepared row; every row sums to 1."""
    from scipy.sparse import csr_array  # Preparing takes it, and all that is prepared does without.

    edges = np.arange(wanted + 1) * there / wanted
    start, stop = np.arange(there), np.arange(1, there + 1)
    overlap = np.minimum(edges[1:, None], stop) - np.maximum(edges[:-1, None], start)
    return csr_array(np.clip(overlap, 0, None) * wanted / there)

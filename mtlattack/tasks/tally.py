"""How often each value occurs among the labels of many images: what the best constant answers are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

_LARGEST_KEY = 2**62
_AT_ONCE = 1_000_000


class Tally:
    """The distinct rows of numbers that were added, in lexicographic order, and how often each occurs.

    Memory grows with the number of distinct rows alone. Labels from prepared files are small whole numbers times a
    scale, so there are few; the result does not depend on how the rows came in batches.
    """

    def __init__(self, columns: int = 1) -> None:
        self._values: NDArray[np.float32] = np.empty((0, columns), np.float32)
        self._counts: NDArray[np.float64] = np.empty(0)
        self._waiting: list[NDArray[np.float32]] = []

    def add(self, rows: Tensor) -> None:
        """Count the rows `[n, columns]`, none of which may hold NaN."""
        self._waiting.append(rows.detach().cpu().float().numpy() + np.float32(0))  # −0 is 0.
        if sum(map(len, self._waiting)) > max(_AT_ONCE, len(self._values)):
            self.counted()

    def counted(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """The distinct rows `[K, columns]` and how often each was added, `[K]`."""
        waiting = np.concatenate([self._values, *self._waiting])
        ones = np.ones(len(waiting) - len(self._values))
        self._values, self._counts = _distinct(waiting, np.concatenate([self._counts, ones]))
        self._waiting.clear()
        return self._values, self._counts


def weighted_median(values: NDArray[np.floating], weights: NDArray[np.float64]) -> float:
    """The least of the ascending `values` `[K]` at which Σ w·|v − value| is as small as it gets."""
    below = weights.cumsum()
    return float(values[np.searchsorted(below, below[-1] / 2)])


def _distinct(
    rows: NDArray[np.float32], counts: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The distinct ones of `rows` `[n, columns]` in lexicographic order, with the sums of their counts."""
    key, size = np.zeros(len(rows), np.int64), 1
    for column in rows.T:
        values, codes = np.unique(column, return_inverse=True)
        if size * len(values) > _LARGEST_KEY:
            keys, key = np.unique(key, return_inverse=True)
            size = len(keys)
        key, size = key * len(values) + codes, size * len(values)
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    sums: NDArray[np.float64] = np.bincount(inverse, counts, len(first)).astype(np.float64)
    return rows[first], sums

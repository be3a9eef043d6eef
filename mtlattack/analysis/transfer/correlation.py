"""Whether what a source and a victim have in common ranks how well attacks carry over.

The cells of a matrix are not independent: a strong source makes a row, a soft victim a column. So p comes from
permuting the labels of whole rows and columns (Mantel 1967), which keeps rows and columns together; ranks are taken
within each matrix, so that what differs between matrices neither helps nor harms.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from mtlattack.analysis.resampling import Array

MOST_PERMUTATIONS = 9999
_SEED = 0
Orders = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Pair:
    """What sources and victims of a matrix have in common, and how attacks transfer, both `[R, rows, columns]`: one
    matrix a resample of the images, the images as they are first. `counts` `[rows, columns]` says which cells are not a
    victim's own. The first `shared` rows and columns are the same things, which are permuted together; the other rows
    and the other columns each among themselves."""

    common: Array
    transfer: Array
    counts: NDArray[np.bool_]
    shared: int

    def ranks(self) -> tuple[Array, Array]:
        """Of both, centred and scaled to lie in [−1/2, 1/2], `[R, rows, columns]`; 0 for a cell that does not count or
        is undefined."""
        defined = self.counts & np.isfinite(self.common) & np.isfinite(self.transfer)
        return _ranks(self.common, defined), _ranks(self.transfer, defined)

    @property
    def varies(self) -> bool:
        """Whether there is anything to rank in both, of the images as they are."""
        return all(bool(ranks[0].any()) for ranks in self.ranks())


def spearman(pairs: Sequence[Pair]) -> Array:
    """Spearman's ρ over the cells of all matrices, ranked within each, `[R]`; NaN where nothing varies."""
    common, transfer = (
        np.concatenate([side.reshape(len(side), -1) for side in sides], 1)
        for sides in zip(*(pair.ranks() for pair in pairs), strict=True)
    )
    norm = np.sqrt((common**2).sum(1) * (transfer**2).sum(1))
    return np.divide((common * transfer).sum(1), norm, out=np.full(len(norm), np.nan), where=norm > 0)


def permutation_test(pairs: Sequence[Pair]) -> tuple[float, int, bool]:
    """Two-sided p of `spearman` of the images as they are, the number of permutations, and whether these are all."""
    ranked = [tuple(side[0] for side in pair.ranks()) for pair in pairs]
    observed = sum(float((common * transfer).sum()) for common, transfer in ranked)
    exact = prod(_number_of_orders(pair) for pair in pairs) <= MOST_PERMUTATIONS
    rng = np.random.default_rng(_SEED)
    sums = np.zeros(1 if exact else MOST_PERMUTATIONS)
    for pair, (common, transfer) in zip(pairs, ranked, strict=True):
        orders = _all_orders(pair) if exact else (_random_order(pair, rng) for _ in range(MOST_PERMUTATIONS))
        products = np.array([(common[rows[:, None], columns] * transfer).sum() for rows, columns in orders])
        # All permutations of one matrix go with all of each other.
        sums = np.add.outer(sums, products).ravel() if exact else sums + products
    reaching = int((np.abs(sums) >= abs(observed) - 1e-12).sum())
    return (reaching / len(sums) if exact else (reaching + 1) / (len(sums) + 1)), len(sums), exact


def _ranks(values: Array, defined: NDArray[np.bool_]) -> Array:
    flat, kept = values.reshape(len(values), -1), defined.reshape(len(values), -1)
    counts = kept.sum(1, keepdims=True)
    # What is undefined sorts last, and leaves the others' ranks alone.
    ranks = rankdata(np.where(kept, flat, np.inf), axis=1) - (counts + 1) / 2
    return np.where(kept, ranks / np.maximum(counts, 1), 0).reshape(values.shape)


def _number_of_orders(pair: Pair) -> int:
    return prod(factorial(size) for size in (pair.shared, *_others(pair)))


def _all_orders(pair: Pair) -> Iterator[Orders]:
    every = product(*(permutations(range(size)) for size in (pair.shared, *_others(pair))))
    return (_orders(np.array(shared, int), np.array(row, int), np.array(column, int)) for shared, row, column in every)


def _random_order(pair: Pair, rng: np.random.Generator) -> Orders:
    return _orders(*(rng.permutation(size) for size in (pair.shared, *_others(pair))))


def _others(pair: Pair) -> tuple[int, int]:
    """How many rows and how many columns are of one side alone."""
    rows, columns = pair.counts.shape
    return rows - pair.shared, columns - pair.shared


def _orders(shared: NDArray[np.int64], row: NDArray[np.int64], column: NDArray[np.int64]) -> Orders:
    return np.concatenate([shared, len(shared) + row]), np.concatenate([shared, len(shared) + column])

"""Bootstrap resamples of the images: how often each is drawn, and sums under them of what images say block by block."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Of more images than these it is groups of them that are drawn.
MOST_APART = 20_000
GROUPS = 10_000


@dataclass(frozen=True)
class GroupWeights:
    """How often each of many groups of images is drawn, `groups` `[R, G]`; image i belongs to group i mod G.

    `weights @ values` is as for weights `[R, N]` of images, in memory that does not grow with these: of groups that are
    equal but for chance the sums vary as those of single images do, and the interval's width is off by 1/√(2·G).
    """

    groups: Array
    images: int

    def __matmul__(self, values: NDArray[np.generic]) -> Array:
        """Sums `[R]` or `[R, S]` of the images' values `[N]` or `[N, S]`."""
        return self.sums(lambda rows: [values[rows]])[0]

    def sums(self, values: "Values") -> list[Array]:
        """See `weighted_sums`."""
        size = self.groups.shape[1]
        sums: list[Array] = []
        for begin in range(0, self.images, size):
            parts = values(slice(begin, min(begin + size, self.images)))
            sums = sums or [np.zeros((size, *part.shape[1:])) for part in parts]
            for total, part in zip(sums, parts, strict=True):
                total[: len(part)] += part
        return [self.groups @ total for total in sums]


Weights = Array | GroupWeights
# Of some images what is to be summed, arrays `[B]` or `[B, S]`, as many each time.
Values = Callable[[slice], Sequence[NDArray[Any]]]


def resampling_weights(images: int, resamples: int, seed: int) -> Weights:
    """How often each image is drawn, `[1 + resamples, images]`; the first row is the images as they are.

    Of more than 20,000 images it is how often each of 10,000 groups of them is.
    """
    if images > MOST_APART:
        return GroupWeights(_drawn(GROUPS, resamples, seed), images)
    return _drawn(images, resamples, seed)


def weighted_sums(weights: Weights, values: Values) -> list[Array]:
    """Sums `[R]` or `[R, S]` under weights `[R, N]` of what `values(rows)` says of some images: of all of them at once,
    or of very many block by block."""
    if isinstance(weights, GroupWeights):
        return weights.sums(values)
    return [weights @ part for part in values(slice(0, weights.shape[1]))]


def blocks(images: int) -> Iterator[slice]:
    """The images in order: all of them at once, or very many block by block, 10,000 each."""
    size = GROUPS if images > MOST_APART else max(images, 1)
    return (slice(begin, min(begin + size, images)) for begin in range(0, images, size))


def _drawn(count: int, resamples: int, seed: int) -> Array:
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return np.concatenate([np.ones((1, count)), draws])

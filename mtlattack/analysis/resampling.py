"""Bootstrap resamples of the images: how often each is drawn."""

from dataclasses import dataclass

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

    def __matmul__(self, values: NDArray[np.generic]) -> Array:
        """Sums `[R]` or `[R, S]` of the images' values `[N]` or `[N, S]`."""
        size = self.groups.shape[1]
        sums = np.zeros((size, *values.shape[1:]))
        for begin in range(0, len(values), size):
            part = values[begin : begin + size]
            sums[: len(part)] += part
        return self.groups @ sums


Weights = Array | GroupWeights


def resampling_weights(images: int, resamples: int, seed: int) -> Weights:
    """How often each image is drawn, `[1 + resamples, images]`; the first row is the images as they are.

    Of more than 20,000 images it is how often each of 10,000 groups of them is.
    """
    if images > MOST_APART:
        return GroupWeights(_drawn(GROUPS, resamples, seed))
    return _drawn(images, resamples, seed)


def _drawn(count: int, resamples: int, seed: int) -> Array:
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return np.concatenate([np.ones((1, count)), draws])

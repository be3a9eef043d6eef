"""Tasks that regress numbers by L1: the loss is the error sum over the pixels."""

from collections.abc import Iterator

import numpy as np

from mtlattack.leaderboard.checking.kinds.base import (
    ROUNDING,
    SUM,
    Array,
    Contradiction,
    Kind,
    falling,
    miscounted,
    somewhere,
    valid_pixels,
)
from mtlattack.tasks import Task

# Below this a square is no float32 any more.
_SMALLEST = 1e-15
_INSIDE = np.array([1.25, 1.25**2, 1.25**3]) - 1
_OUTSIDE = 1 - 1 / (1 + _INSIDE)


def check_errors(task: Task, statistics: Array, losses: Array) -> Iterator[Contradiction]:
    """Sums of errors, none of them negative, of which the second column gives the loss."""
    pixels, absolute = statistics[:, 0], statistics[:, 1]
    yield Contradiction(somewhere(statistics[:, 1:] < 0), "a sum of errors is negative")
    loss = absolute / np.maximum(pixels, 1)
    wrong = ~np.isclose(losses, loss, rtol=ROUNDING, atol=1e-37)
    yield Contradiction(wrong, "the loss is not abs_sum/pixels, the mean error")


def check_distances(task: Task, statistics: Array, losses: Array) -> Iterator[Contradiction]:
    """Error sums that bound each other, and inliers that bound the relative error.

    A pixel that is no inlier by 1.25^k is at least 1 − 1.25^−k off, one that is at most 1.25^k − 1.
    """
    yield from check_errors(task, statistics, losses)
    pixels, absolute, relative, square, *inliers = statistics.T
    yield from miscounted(pixels, **{f"inliers{k}": count for k, count in enumerate(inliers, 1)})
    yield from falling(inliers1=inliers[0], inliers2=inliers[1], inliers3=inliers[2], pixels=pixels)
    counting = absolute > _SMALLEST * np.maximum(pixels, 1)
    low = counting & (square * pixels * (1 + SUM) < absolute**2)
    yield Contradiction(low, "square_sum is less than abs_sum²/pixels (Cauchy and Schwarz)")
    yield Contradiction(square > absolute**2 * (1 + SUM) + _SMALLEST, "square_sum is more than abs_sum²")
    shells = np.diff(np.stack([*inliers, pixels]), axis=0)
    least = (_OUTSIDE[:, None] * shells).sum(0)
    yield Contradiction(relative < least * (1 - SUM), "rel_sum is less than what the pixels that are no inliers add")
    most = _INSIDE[0] * inliers[0] + (_INSIDE[1:, None] * shells[:2]).sum(0)
    high = (inliers[2] == pixels) & (relative > most * (1 + SUM))
    yield Contradiction(high, "rel_sum is more than pixels that all are inliers add")


ERRORS = Kind(valid_pixels, check_errors)
DISTANCES = Kind(valid_pixels, check_distances)

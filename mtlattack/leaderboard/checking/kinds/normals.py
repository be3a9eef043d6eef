"""Normals: the histogram of angles bounds every other number."""

from collections.abc import Iterator

import numpy as np

from mtlattack.leaderboard.checking.kinds.base import (
    SUM,
    Array,
    Contradiction,
    Kind,
    Mask,
    falling,
    miscounted,
    valid_pixels,
)
from mtlattack.tasks import Task

_LIMITS = (11.25, 22.5, 30.0)
# A cosine in float32 is off by this much, on each pixel.
_COSINE = 2e-6


def check_angles(task: Task, statistics: Array, losses: Array) -> Iterator[Contradiction]:
    """Counts within an angle, the sum of angles and the mean of 1 − cos, each as far as the histogram allows.

    A prediction shorter than 1e-6 has its cosine shrunk: a loss beyond the histogram's, on the side of 1, is flagged.
    """
    pixels, angles, within, bins = statistics[:, 0], statistics[:, 1], statistics[:, 2:5], statistics[:, 5:]
    counts = {f"within_{limit:g}": within[:, k] for k, limit in enumerate(_LIMITS)}
    yield from miscounted(pixels, bins=bins, **counts)
    yield from falling(**counts, pixels=pixels)
    yield Contradiction(bins.sum(1) != pixels, "the bins of the histogram are not the valid pixels")
    width = 180 / bins.shape[1]
    below = np.concatenate([np.zeros((len(bins), 1)), bins.cumsum(1)], 1)
    for name, limit in zip(counts, _LIMITS, strict=True):
        # The bin in which the limit lies may be on either side; one that begins with it holds it.
        inside = int(limit / width)
        wrong = (counts[name] < below[:, inside]) | (counts[name] > below[:, inside + 1])
        yield Contradiction(wrong, f"{name} is not what the histogram has there")
    lower = width * np.arange(bins.shape[1])
    upper = lower + width
    low, high = bins @ lower * (1 - SUM), bins @ upper * (1 + SUM)
    yield Contradiction((angles < low) | (angles > high), "angle_sum is not what the histogram allows")
    least, most = 1 - np.cos(np.deg2rad(lower)), 1 - np.cos(np.deg2rad(upper))
    total, slack = losses * pixels, _COSINE * pixels
    out = _outside(total, bins @ np.minimum(least, 1), bins @ np.maximum(most, 1), slack)
    yield Contradiction(out, "the loss is not what the histogram of angles allows")
    odd = _outside(total, bins @ least, bins @ most, slack) & ~out
    yield Contradiction(odd, "the loss is not that of the angles, unless predictions are shorter than 1e-6", "flagged")


def _outside(total: Array, low: Array, high: Array, slack: Array) -> Mask:
    outside: Mask = (total < low * (1 - SUM) - slack) | (total > high * (1 + SUM) + slack)
    return outside


NORMALS = Kind(valid_pixels, check_angles)

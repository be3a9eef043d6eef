"""Statistics over seeds: what is resampled is the seed, with all that was measured on it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtlattack.analysis.resampling import resampling_weights

Array = NDArray[np.float64]
_RESAMPLES = 10_000


@dataclass(frozen=True)
class Estimate:
    """A number with its interval."""

    value: float
    low: float
    high: float

    def text(self, digits: int = 2) -> str:
        """`-1.05 [-1.20, -0.91]`."""
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"

    def plain(self) -> list[float]:
        """Value, low and high end, for JSON."""
        return [self.value, self.low, self.high]


def resampled_means(values: ArrayLike) -> Array:
    """Means over seeds of `[S, …]`, `[1 + R, …]`: first as they are, then of 10,000 bootstrap resamples of the seeds.

    Equal for equal numbers of seeds, so that differences of two are paired.
    """
    array = np.asarray(values, np.float64)
    weights = resampling_weights(len(array), _RESAMPLES, seed=0)
    flat = weights @ array.reshape(len(array), -1)
    return (flat / len(array)).reshape(-1, *array.shape[1:])


def interval(draws: Array, comparisons: int = 1) -> Estimate:
    """The first of `draws` with the percentiles of the others at 95 %, or Bonferroni's 1 − .05/comparisons."""
    tail = 100 * 0.05 / comparisons / 2
    low, high = np.nanpercentile(draws[1:], [tail, 100 - tail])
    return Estimate(float(draws[0]), float(low), float(high))


def mean(values: ArrayLike, comparisons: int = 1) -> Estimate:
    """The mean of `[S]` over seeds."""
    return interval(resampled_means(values), comparisons)


def loglog_slope(x: ArrayLike, values: ArrayLike, comparisons: int = 1) -> Estimate:
    """The least-squares slope of log mean(values) against log x; values `[S, X]`, whose means must be positive."""
    means = resampled_means(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(means)
    centred = np.log(np.asarray(x, np.float64))
    centred = centred - centred.mean()
    return interval(logs @ centred / (centred @ centred), comparisons)

"""From values to positions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, log2

from matplotlib.ticker import MaxNLocator

# What is larger is not drawn: no metric of a model is.
LARGEST = 1e15


def drawable(value: float | None) -> bool:
    """Whether there is a number, and one that a chart can show."""
    return value is not None and isfinite(value) and abs(value) <= LARGEST


@dataclass(frozen=True)
class Scale:
    """The straight line on which `low` falls at `at_low` and `high` at `at_high`, with round values to mark."""

    low: float
    high: float
    at_low: float
    at_high: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """Where the value falls."""
        return self.at_low + (value - self.low) / (self.high - self.low) * (self.at_high - self.at_low)

    def labels(self) -> list[str]:
        """The marked values, with as many digits as tell them apart."""
        step = self.ticks[1] - self.ticks[0]
        digits = next((d for d in range(13) if abs(round(step, d) - step) < 1e-6 * step), 12)
        largest = max(map(abs, self.ticks))
        form = ".3g" if largest >= 1e6 or digits > 5 else f".{digits}f"
        return [f"{tick + 0.0:{form}}".replace("-", "\u2212") for tick in self.ticks]


def linear(values: Iterable[float], at_low: float, at_high: float, most_ticks: int = 5) -> Scale:
    """A scale from and to round values that hold all of `values` (finite; 0 to 1 where there are none)."""
    found = list(values) or [0.0, 1.0]
    low, high = min(found), max(found)
    # Below the digits of a float, a span is none.
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = 0.1 * abs(high) or 1.0
        low, high = low - margin, high + margin
    ticks = [float(tick) for tick in MaxNLocator(most_ticks, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
    # The locator may go one step too far to either side.
    while len(ticks) > 2 and ticks[1] <= low:
        ticks.pop(0)
    while len(ticks) > 2 and ticks[-2] >= high:
        ticks.pop()
    return Scale(min(ticks[0], low), max(ticks[-1], high), at_low, at_high, tuple(ticks))


def by_direction(
    values: Iterable[float], higher_is_better: bool, worse: float, better: float, most_ticks: int = 5
) -> Scale:
    """A scale with the better values towards `better`."""
    ends = (worse, better) if higher_is_better else (better, worse)
    return linear(values, *ends, most_ticks)


@dataclass(frozen=True)
class EpsScale:
    """ε by its logarithm to base 2, `levels` ascending, and one step before the first the clean images."""

    levels: Sequence[float]
    left: float
    right: float

    @property
    def clean(self) -> float:
        """Where the clean images stand."""
        return self.left

    @property
    def gap(self) -> float:
        """The least distance between neighbours."""
        places = [self.clean, *map(self, self.levels)]
        return min(b - a for a, b in zip(places, places[1:], strict=False))

    def __call__(self, eps: float) -> float:
        """Where ε falls."""
        first, last = log2(self.levels[0]), log2(self.levels[-1])
        step = (last - first) / (len(self.levels) - 1) if len(self.levels) > 1 else 1.0
        return self.left + (log2(eps) - first + step) / (last - first + step) * (self.right - self.left)

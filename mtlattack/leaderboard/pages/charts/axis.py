"""From values to positions along an axis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from matplotlib.ticker import MaxNLocator

from mtlattack.analysis import Interval
from mtlattack.analysis.summaries import UNDEFINED

# What is larger is not drawn: no metric of a model is.
LARGEST = 1e15


@dataclass(frozen=True)
class Axis:
    """A straight line from the value at its left or lower end, `first`, to that at the other, with marks on it."""

    title: str
    first: float
    last: float
    marks: Sequence[tuple[float, str]]

    def share(self, value: float) -> float:
        """How far along it a value is: 0 at its beginning, 1 at its end."""
        return (value - self.first) / (self.last - self.first)


def numeric(title: str, intervals: Iterable[Interval], higher_is_better: bool = True) -> Axis:
    """Between round values that hold all of the intervals (0 to 1 where there are none), the better ones last."""
    found = [x for each in intervals for x in ends(each)] or [0.0, 1.0]
    low, high = min(found), max(found)
    # Below the digits of a float, a span is none.
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = 0.1 * abs(high) or 1.0
        low, high = low - margin, high + margin
    ticks = [float(tick) for tick in MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
    # The locator may go one step too far to either side.
    while len(ticks) > 2 and ticks[1] <= low:
        ticks.pop(0)
    while len(ticks) > 2 and ticks[-2] >= high:
        ticks.pop()
    span = min(ticks[0], low), max(ticks[-1], high)
    first, last = span if higher_is_better else span[::-1]
    return Axis(title, first, last, list(zip(ticks, _texts(ticks), strict=True)))


def steps(title: str, names: Sequence[str]) -> Axis:
    """Names at 0, 1, 2, …: equal steps, with half a step to both sides."""
    return Axis(title, -0.5, len(names) - 0.5, list(enumerate(names)))


def exactly(value: float | None) -> Interval:
    """A value without an interval, or none."""
    return Interval(value=value, low=None, high=None)


def visible(interval: Interval) -> Interval:
    """The interval without what no chart can show; undefined where the value cannot be."""
    if not _drawable(interval.value):
        return UNDEFINED
    if not (_drawable(interval.low) and _drawable(interval.high)):
        return exactly(interval.value)
    return interval


def ends(interval: Interval) -> list[float]:
    """All of its numbers that can be shown."""
    shown = visible(interval)
    return [x for x in (shown.value, shown.low, shown.high) if x is not None]


def _drawable(value: float | None) -> bool:
    return value is not None and isfinite(value) and abs(value) <= LARGEST


def _texts(ticks: Sequence[float]) -> list[str]:
    """With as many digits as tell them apart."""
    step = ticks[1] - ticks[0]
    digits = next((d for d in range(13) if abs(round(step, d) - step) < 1e-6 * step), 12)
    form = ".3g" if max(map(abs, ticks)) >= 1e6 or digits > 5 else f".{digits}f"
    return [f"{tick + 0.0:{form}}".replace("-", "\u2212") for tick in ticks]

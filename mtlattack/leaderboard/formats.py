"""How pages and cards print numbers: three significant digits, units outside, intervals in brackets."""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor, log10

from mtlattack.analysis import Interval

NOTHING = "–"
_MINUS = "\u2212"


@dataclass(frozen=True)
class Figure:
    """A number as it is read, its interval as it is read, and all three to sort and compare by (None: undefined)."""

    text: str
    interval: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None


def figure_of(interval: Interval, *, percent: bool = False) -> Figure:
    """An interval as it stands in a table."""
    shown = hundredfold(interval) if percent else interval
    value, low, high = shown.value, shown.low, shown.high
    return Figure(significant(value), brackets(low, high), _kept(value), _kept(low), _kept(high))


def hundredfold(interval: Interval) -> Interval:
    """A share in per cent."""
    value, low, high = (None if x is None else 100 * x for x in (interval.value, interval.low, interval.high))
    return Interval(value=value, low=low, high=high)


def significant(value: float | None) -> str:
    """Three significant digits: `0.0389`, `43.2`, `1,230`, `−3.00`; `–` for null."""
    if value is None:
        return NOTHING
    rounded = float(f"{value:.3g}")
    if rounded == 0:
        return "0"
    if not 1e-4 <= abs(rounded) < 1e7:
        return f"{rounded:.3g}".replace("-", _MINUS)
    digits = max(0, 2 - floor(log10(abs(rounded))))
    return f"{rounded:,.{digits}f}".replace("-", _MINUS)


def brackets(low: float | None, high: float | None) -> str:
    """`[5.10, 6.30]`; nothing where both are undefined."""
    return "" if low is None and high is None else f"[{significant(low)}, {significant(high)}]"


def with_interval(interval: Interval) -> str:
    """`43.2 [41.0, 45.1]`."""
    return f"{significant(interval.value)} {brackets(interval.low, interval.high)}".rstrip()


def millions(count: int) -> str:
    """`0.342 M`."""
    return f"{significant(count / 1e6)} M"


def degree(value: float | None) -> str:
    """A sharing degree: `0.68`, `1`."""
    return NOTHING if value is None else f"{value:.3g}"


def duration(seconds: float) -> str:
    """`43.1 s`, `12 min`, `3.4 h`."""
    if seconds < 120:
        return f"{significant(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(count: int) -> str:
    """Bytes as `812 kB` or `3.1 MB`."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB" if count >= 1e3 else f"{count} B"


def moment(at: datetime) -> str:
    """To the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def day(at: datetime) -> str:
    """`2026-11-21`, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def _kept(value: float | None) -> float | None:
    """What pages carry along: six digits."""
    return None if value is None else float(f"{value:.6g}")

"""How pages print numbers: three significant digits, units outside, intervals in brackets."""

from dataclasses import dataclass
from datetime import UTC, datetime

from mtlattack.analysis.record import Interval
from mtlattack.leaderboard.charts.lettering import significant
from mtlattack.leaderboard.rows.units import shown_interval

NOTHING = "–"
NORMS = {"linf": "ℓ∞", "l2": "ℓ2", "l1": "ℓ1", "l0": "ℓ0", "patch": "patch"}


@dataclass(frozen=True)
class Figure:
    """A number as it is read, its interval as it is read, and all three to sort and compare by (None: undefined)."""

    text: str
    interval: str
    value: float | None
    low: float | None
    high: float | None


def percent(value: float | None) -> str:
    """A share in per cent, without the sign."""
    return significant(None if value is None else 100 * value)


def in_unit(interval: Interval, unit: str) -> Figure:
    """A row's interval in the unit that people read, see `units`."""
    found = shown_interval(interval, unit)
    value, low, high = found.value, found.low, found.high
    return Figure(significant(value), brackets(low, high), _kept(value), _kept(low), _kept(high))


def change(clean: Interval, attacked: Interval, unit: str) -> Figure:
    """`39.1 → 5.98`: clean, and attacked with its interval."""
    before, after = in_unit(clean, unit), in_unit(attacked, unit)
    return Figure(f"{before.text} → {after.text}", after.interval, after.value, after.low, after.high)


def brackets(low: float | None, high: float | None) -> str:
    """`[5.10, 6.30]`; nothing where both are undefined."""
    return "" if low is None and high is None else f"[{significant(low)}, {significant(high)}]"


def millions(count: int) -> str:
    """`0.342 M`."""
    return f"{significant(count / 1e6)} M"


def degree(value: float | None) -> str:
    """A sharing degree: `0.68`, `1`."""
    return NOTHING if value is None else f"{value:.3g}"


def counted(count: int, thing: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


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

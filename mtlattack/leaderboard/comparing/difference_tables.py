"""Two rows side by side, for the terminal."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mtlattack.analysis import Interval
from mtlattack.analysis.tables import compact_interval, short_number
from mtlattack.attacks import Threat
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.comparing.difference import FieldDifference, NumberDifference
from mtlattack.leaderboard.comparing.paired import PairedDifference
from mtlattack.leaderboard.rows.numbers import CLEAN
from mtlattack.leaderboard.rows.schema import Threat as RowThreat
from mtlattack.leaderboard.rows.units import UNITS, shown

T = TypeVar("T")

_OVERLAP = {True: "overlap", False: "apart", None: ""}


def render_heading(one: StoredRow, two: StoredRow) -> Group:
    """Which row is which."""
    return Group(*(
        Text(f"{name}: row {row.id}, {row.row.model.name} on {row.row.suite.name} v{row.row.suite.version}")
        for name, row in (("one", one), ("two", two))
    ))  # fmt: skip


def render_fields(differences: Sequence[FieldDifference]) -> RenderableType:
    """What the rows say that is not the same."""
    if not differences:
        return Text("cards: no difference")
    table = _table("field", "one", "two")
    for column in table.columns:
        column.overflow = "fold"
    for each in differences:
        table.add_row(*(Text(_said(value)) for value in (each.field, each.one, each.two)))
    return Group(Text("cards: what differs"), table)


def render_paired(differences: Sequence[PairedDifference], threat: RowThreat) -> RenderableType:
    """For each ε the differences under each attack; a star where the interval does not hold 0."""
    parts: list[RenderableType] = []
    for eps, group in _by_eps(differences, lambda each: each.eps):
        table = _table("attack")
        for title in ("log loss ratio", "loss change %", "arp %"):
            table.add_column(title, justify="right", no_wrap=True)
        for each in group:
            cells = (
                _starred(each.log_ratio, percent=False),
                _starred(each.loss_change, percent=True),
                _starred(each.arp, percent=True),
            )
            table.add_row(*(Text(cell) for cell in (each.attack, *cells)))
        parts += [Text(f"{_threat(threat, eps)}: two − one over the same images"), table, Text()]
    return Group(*parts, Text("★ the 95 % bootstrap interval of the difference does not hold 0"))


def render_numbers(differences: Sequence[NumberDifference], threat: RowThreat) -> RenderableType:
    """For each ε the numbers that are not the same, in the units that people read."""
    found = [each for each in differences if each.differs]
    parts: list[RenderableType] = [Text(f"numbers: {len(found)} of {len(differences)} differ")]
    for eps, group in _by_eps(found, lambda each: each.place.eps):
        table = _table("attack", "task", "number")
        for title in ("one", "two", "two − one"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("intervals", no_wrap=True)
        for each in group:
            place, unit = each.place, each.one.task_unit
            values = (each.one.interval.value, each.two.interval.value, each.difference)
            cells = (place.attack, place.task, f"{place.metric} {unit}".rstrip(), *(_shown(x, unit) for x in values))
            table.add_row(*(Text(cell) for cell in (*cells, _OVERLAP[each.overlap])))
        parts += [Text(), Text(_threat(threat, eps)), table]
    return Group(*parts)


def _by_eps(items: Iterable[T], eps: Callable[[T], float]) -> Iterable[tuple[float, list[T]]]:
    """In the order in which they first occur."""
    groups: dict[float, list[T]] = {}
    for item in items:
        groups.setdefault(eps(item), []).append(item)
    return groups.items()


def _table(*titles: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for title in titles:
        table.add_column(title)
    return table


def _threat(threat: RowThreat, eps: float) -> str:
    return str(Threat(threat.norm, eps, threat.quantized)) if eps else CLEAN


def _starred(interval: Interval, percent: bool) -> str:
    low, high = interval.low, interval.high
    apart = low is not None and high is not None and not low <= 0 <= high
    return ("★" if apart else "") + compact_interval(interval, percent=percent)


def _shown(value: float | None, unit: str) -> str:
    """A value as rows hold it in the unit that people read; seconds are the same in both."""
    return short_number(value if value is None or unit not in UNITS else shown(value, unit))


def _said(value: object) -> str:
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

"""Two rows side by side, for the terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from mtlattack.analysis import Interval, Record
from mtlattack.analysis.summaries import SUMMARIES, UNDEFINED
from mtlattack.analysis.tables import compact_interval
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.columns import COLUMNS
from mtlattack.leaderboard.comparing.difference import FieldDifference
from mtlattack.leaderboard.comparing.paired import CLEAN, PairedDifference
from mtlattack.leaderboard.records import threat_at
from mtlattack.leaderboard.standings import Standing
from mtlattack.printing import Grid

# What is said of a row takes several lines beyond.
_LONGEST = 32


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
    table = Grid(title="cards: what differs")
    table.add_column("field")
    for title in ("one", "two"):
        table.add_column(title, longest=_LONGEST)
    for each in differences:
        table.add_row(*(_said(value) for value in (each.field, each.one, each.two)))
    return table


def render_columns(one: Standing, two: Standing) -> RenderableType:
    """The columns of the board, side by side, at the ε of both standings."""
    table = Grid(title=f"on the board, {threat_at(one.stored.record, one.eps)}")
    table.add_column("")
    for title in ("one", "two"):
        table.add_column(title, longest=_LONGEST)
    for column in COLUMNS:
        table.add_row(column.title, column.text(one), column.text(two))
    return table


def render_paired(differences: Sequence[PairedDifference], record: Record) -> RenderableType:
    """For each ε the differences under each attack; a star where the interval does not hold 0."""
    parts: list[RenderableType] = []
    shown = [summary for summary in SUMMARIES if any(summary.key in each.numbers for each in differences)]
    for eps in dict.fromkeys(each.eps for each in differences):
        table = Grid(title=f"{threat_at(record, eps) if eps else CLEAN}: two − one over the same images")
        table.add_column("attack")
        for summary in shown:
            table.add_column(summary.title, "right")
        for each in differences:
            if each.eps == eps:
                cells = (_starred(each.numbers.get(s.key, UNDEFINED), percent=s.percent) for s in shown)
                table.add_row(each.attack, *cells)
        parts += [table, Text()]
    return Group(*parts, Text("★ the 95 % bootstrap interval of the difference does not hold 0"))


def _starred(interval: Interval, percent: bool) -> str:
    low, high = interval.low, interval.high
    if interval.value is None:
        return "–"
    apart = low is not None and high is not None and not low <= 0 <= high
    return ("★" if apart else "") + compact_interval(interval, percent=percent)


def _said(value: object) -> str:
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

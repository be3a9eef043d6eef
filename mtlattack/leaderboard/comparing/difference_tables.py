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
from mtlattack.leaderboard.showing.tables import plain_table
from mtlattack.leaderboard.standings import Standing


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
    table = plain_table("field", "one", "two")
    for column in table.columns:
        column.overflow = "fold"
    for each in differences:
        table.add_row(*(Text(_said(value)) for value in (each.field, each.one, each.two)))
    return Group(Text("cards: what differs"), table)


def render_columns(one: Standing, two: Standing) -> RenderableType:
    """The columns of the board, side by side, at the ε of both standings."""
    table = plain_table("", "one", "two")
    for column in COLUMNS:
        table.add_row(*map(Text, (column.title, column.text(one), column.text(two))))
    threat = threat_at(one.stored.record, one.eps)
    return Group(Text(f"on the board, {threat}"), table)


def render_paired(differences: Sequence[PairedDifference], record: Record) -> RenderableType:
    """For each ε the differences under each attack; a star where the interval does not hold 0."""
    parts: list[RenderableType] = []
    shown = [summary for summary in SUMMARIES if any(summary.key in each.numbers for each in differences)]
    for eps in dict.fromkeys(each.eps for each in differences):
        table = plain_table("attack")
        for summary in shown:
            table.add_column(summary.title, justify="right", no_wrap=True)
        for each in differences:
            if each.eps == eps:
                cells = (_starred(each.numbers.get(s.key, UNDEFINED), percent=s.percent) for s in shown)
                table.add_row(*map(Text, (each.attack, *cells)))
        title = threat_at(record, eps) if eps else CLEAN
        parts += [Text(f"{title}: two − one over the same images"), table, Text()]
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

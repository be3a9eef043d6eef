"""The board as tables: for the terminal, and its top as Markdown for a README."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from mtlattack.analysis.tables import short_number
from mtlattack.errors import UnknownNameError
from mtlattack.leaderboard.columns import COLUMNS, Column, Plain, Section, columns_of
from mtlattack.leaderboard.records import tasks_of
from mtlattack.leaderboard.showing.selection import Ranking
from mtlattack.leaderboard.standings import Standing
from mtlattack.markdown import escape, table_lines
from mtlattack.printing import Grid
from mtlattack.tasks import Metric, Task

# What is longer takes several lines.
_LONGEST = {"model": 40, "training": 28, "strongest_attack": 40}
_SECTIONS: dict[Section, str] = {
    "skill": "skill",
    "relative": "under the strongest attack on each",
    "row": "the rows",
}


def render_rankings(rankings: Sequence[Ranking], task: str | None = None) -> RenderableType:
    """For each suite version four tables: the skill that ranks the rows, what the strongest attack did to each, what
    the rows are, and what that attack did to their tasks.

    With `task` the last one has all metrics of this task alone; UnknownNameError if no row has it.
    """
    if not rankings:
        return Text("no rows")
    parts: list[RenderableType] = []
    for ranking in about_task(rankings, task):
        for section, title in _SECTIONS.items():
            parts += [Text(f"{title_of(ranking)}: {title}"), _table(ranking, columns_of(section)), Text()]
        parts += [
            Text(f"{title_of(ranking)}: the tasks, clean → under this attack"),
            _tasks_table(ranking, task),
            Text(),
        ]
    legend = (
        "skill: 1 perfect, 0 no better than a constant answer; robust: under the attack that leaves the least\n"
        "brackets: 95 % bootstrap interval; rows whose intervals overlap share a rank\n"
        "strongest: highest mean log loss ratio · ▼ worst task"
    )
    return Group(*parts, Text(legend))


def rankings_to_markdown(rankings: Sequence[Ranking]) -> str:
    """One small table a suite version; what submitters wrote stays text."""
    lines = []
    for ranking in rankings:
        rows = [[each.markdown(standing) for each in COLUMNS] for standing in ranking.standings]
        lines += [f"**{escape(title_of(ranking))}**", "", *table_lines([each.title for each in COLUMNS], rows), ""]
    return "\n".join(lines)


def title_of(ranking: Ranking) -> str:
    """`rooms-board v1, linf 4/255`."""
    return f"{ranking.suite} v{ranking.version}, {ranking.threat}"


def about_task(rankings: Sequence[Ranking], task: str | None) -> Sequence[Ranking]:
    """The rankings of suites that have the task."""
    if task is None or not rankings:
        return rankings
    known = [tasks_of(ranking.standings[0].stored.record) for ranking in rankings]
    found = [ranking for ranking, tasks in zip(rankings, known, strict=True) if task in tasks]
    if not found:
        raise UnknownNameError("task", task, {name for tasks in known for name in tasks})
    return found


def _table(ranking: Ranking, columns: Sequence[Column]) -> Grid:
    """Rank and model, then these columns."""
    names = columns_of("name")
    table, columns = Grid(names=len(names)), [*names, *columns]
    for each in columns:
        _add_column(table, each)
    for standing in ranking.standings:
        table.add_row(*(each.text(standing) for each in columns))
    return table


def _tasks_table(ranking: Ranking, only: str | None) -> Grid:
    names, metrics = columns_of("name"), _metrics_shown(ranking, only)
    table = Grid(names=len(names))
    for each in names:
        _add_column(table, each)
    for _, task, metric in metrics:
        table.add_column(f"{task.heading}\n{metric.title}", "right")
    for standing in ranking.standings:
        changes = [_change(standing, name, metric) for name, _, metric in metrics]
        table.add_row(*(each.text(standing) for each in names), *changes)
    return table


def _change(standing: Standing, task: str, metric: Metric) -> str:
    """`61.2→12.0▼`."""
    record, attack = standing.stored.record, standing.strongest
    before, after = (short_number(each.get(task, {}).get(metric.name)) for each in (record.clean, attack.metrics))
    return f"{before}→{after}{'▼' if task == attack.worst_task else ''}"


def _metrics_shown(ranking: Ranking, only: str | None) -> list[tuple[str, Task, Metric]]:
    """The headline metric of every task, or all metrics of one."""
    return [
        (name, task, metric)
        for name, task in tasks_of(ranking.standings[0].stored.record).items()
        for metric in task.metric_table
        if (metric.name == task.headline if only is None else name == only)
    ]


def _add_column(table: Grid, column: Column) -> None:
    title = "#" if column.key == "rank" else column.title.replace(" ", "\n", 1)
    table.add_column(title, "left" if isinstance(column, Plain) else "right", _LONGEST.get(column.key))

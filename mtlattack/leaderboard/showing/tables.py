"""The board as tables: for the terminal at 100 columns, and its top as Markdown for a README."""

from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mtlattack.analysis.tables import (
    WIDTH,
    compact_interval,
    compact_number,
    metric_title,
    short_number,
)
from mtlattack.errors import UnknownNameError
from mtlattack.leaderboard.rows.results import interval_of, tasks_of
from mtlattack.leaderboard.rows.schema import Metrics, Row
from mtlattack.leaderboard.rows.units import shown_interval
from mtlattack.leaderboard.showing.markdown import code, escape
from mtlattack.leaderboard.showing.selection import Place, Ranking
from mtlattack.tasks import Metric, Task

SHORT_ID = 8
# Columns that are longer end in an ellipsis; these leave room for five tasks within 100.
_LONGEST_MODEL, _LONGEST_TRAINING, _LONGEST_ATTACK = 32, 28, 24
_MOST_TASKS, _TASK_WIDTH = 5, 13
_MOST_METRICS, _METRIC_WIDTH = 4, 17

Column = tuple[str, Callable[[Place], str]]
_MARKDOWN: tuple[Column, ...] = (
    ("rank", lambda place: rank_text(place)),
    ("model", lambda place: code(place.standing.stored.row.model.name)),
    ("sharing degree", lambda place: _degree(place)),
    ("training", lambda place: escape(training_text(place.standing.stored.row))),
    ("log loss ratio", lambda place: compact_interval(place.standing.strongest.log_ratio, percent=False)),
    ("arp %", lambda place: compact_interval(place.standing.strongest.arp, percent=True)),
    ("strongest attack", lambda place: code(place.standing.strongest.name)),
    ("status", lambda place: place.standing.status),
    ("row", lambda place: code(place.standing.stored.id[:SHORT_ID])),
)


def render_rankings(rankings: Sequence[Ranking], task: str | None = None) -> RenderableType:
    """For each suite version three tables: the rows, what the strongest attack did to each, and to its tasks.

    With `task` the last one has all metrics of this task alone; UnknownNameError if no row has it.
    """
    if not rankings:
        return Text("no rows")
    parts: list[RenderableType] = []
    for ranking in about_task(rankings, task):
        title = title_of(ranking)
        parts += [Text(f"{title}: the rows"), _rows_table(ranking), Text()]
        parts += [Text(f"{title}: under the strongest attack on each"), _attack_table(ranking), Text()]
        parts += [Text(f"{title}: the tasks, clean → under this attack"), _tasks_table(ranking, task), Text()]
    legend = "strongest: highest mean log loss ratio · brackets: 95 % bootstrap interval · ▼ worst task"
    return Group(*parts, Text(legend))


def width_of_rankings(rankings: Sequence[Ranking], task: str | None = None) -> int:
    """Columns that the tables take: 100, and more where five tasks or four metrics are exceeded."""
    columns = [len(_columns(ranking, task)) for ranking in rankings]
    room, width = (_MOST_TASKS, _TASK_WIDTH) if task is None else (_MOST_METRICS, _METRIC_WIDTH)
    return WIDTH + width * max(0, max(columns, default=0) - room)


def rankings_to_markdown(rankings: Sequence[Ranking]) -> str:
    """One small table a suite version; what submitters wrote stays text."""
    lines = []
    for ranking in rankings:
        titles = [title for title, _ in _MARKDOWN]
        lines += [f"**{title_of(ranking)}**", "", "| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
        lines += ["| " + " | ".join(cell(place) for _, cell in _MARKDOWN) + " |" for place in ranking.places]
        lines.append("")
    return "\n".join(lines)


def title_of(ranking: Ranking) -> str:
    """`rooms-board v1, linf 4/255`."""
    return f"{ranking.suite} v{ranking.version}, {ranking.threat}"


def rank_text(place: Place) -> str:
    """The rank, a dash for a row that does not count."""
    return "–" if place.rank is None else str(place.rank)


def training_text(row: Row) -> str:
    """How the model was trained against attacks, in the submitter's words."""
    return row.model.adversarial_training or "clean"


def about_task(rankings: Sequence[Ranking], task: str | None) -> Sequence[Ranking]:
    """The rankings of suites that have the task."""
    if task is None or not rankings:
        return rankings
    found = [r for r in rankings if task in r.places[0].standing.stored.row.tasks]
    if not found:
        raise UnknownNameError("task", task, {t for r in rankings for t in r.places[0].standing.stored.row.tasks})
    return found


def _rows_table(ranking: Ranking) -> Table:
    table = _table(ranking)
    for title in ("row", "status"):
        table.add_column(title, no_wrap=True)
    table.add_column("degree", justify="right", no_wrap=True)
    table.add_column("training", no_wrap=True, overflow="ellipsis", max_width=_LONGEST_TRAINING)
    table.add_column("flags", justify="right", no_wrap=True)
    for place in ranking.places:
        stored = place.standing.stored
        flags = str(len(stored.row.flags)) if stored.row.flags else ""
        cells = (stored.id[:SHORT_ID], place.standing.status, _degree(place), training_text(stored.row), flags)
        _add(table, place, *cells)
    return table


def _attack_table(ranking: Ranking) -> Table:
    table = _table(ranking)
    table.add_column("strongest attack", no_wrap=True, overflow="ellipsis", max_width=_LONGEST_ATTACK)
    for title in ("log loss ratio", "arp\n%", "loss\nchange %", "worst\ntask %"):
        table.add_column(title, justify="right", no_wrap=True)
    for place in ranking.places:
        attack = place.standing.strongest
        percents = (compact_number(x.value, percent=True) for x in (attack.arp, attack.loss_change, attack.worst))
        _add(table, place, attack.name, compact_interval(attack.log_ratio, percent=False), *percents)
    return table


def _tasks_table(ranking: Ranking, only: str | None) -> Table:
    table = _table(ranking)
    columns = _columns(ranking, only)
    for _, task, metric in columns:
        table.add_column(f"{task.short_title}\n{metric_title(metric)}", justify="right", no_wrap=True)
    for place in ranking.places:
        row, attack = place.standing.stored.row, place.standing.strongest
        cells = []
        for name, _, metric in columns:
            mark = "▼" if name == attack.worst_task else ""
            cells.append(f"{_shown(row.clean, name, metric)}→{_shown(attack.metrics, name, metric)}{mark}")
        _add(table, place, *cells)
    return table


def _columns(ranking: Ranking, only: str | None) -> list[tuple[str, Task, Metric]]:
    """The headline metric of every task, or all metrics of one."""
    tasks = tasks_of(ranking.places[0].standing.stored.row)
    return [
        (name, task, metric)
        for name, task in tasks.items()
        for metric in task.metric_table
        if (metric.name == task.headline if only is None else name == only)
    ]


def _shown(metrics: Metrics, task: str, metric: Metric) -> str:
    return short_number(shown_interval(interval_of(metrics, task, metric.name), metric.unit).value)


def _table(ranking: Ranking) -> Table:
    """An empty table that begins with rank and model."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("model", no_wrap=True, overflow="ellipsis", max_width=_LONGEST_MODEL)
    return table


def _add(table: Table, place: Place, *cells: str) -> None:
    # As texts: what a submitter wrote is no markup.
    names = (rank_text(place), place.standing.stored.row.model.name)
    table.add_row(*(Text(cell) for cell in (*names, *cells)))


def _degree(place: Place) -> str:
    degree = place.standing.stored.row.model.sharing_degree
    return "–" if degree is None else f"{degree:.2f}"

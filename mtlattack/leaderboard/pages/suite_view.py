"""What stands on a suite's page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mtlattack.evaluation import list_suites, load_suite
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.charts import degree_plot, robustness_by_task
from mtlattack.leaderboard.charts.quantities import eps_text
from mtlattack.leaderboard.ledger import STATUSES, Event, Status
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.formats import NORMS, counted
from mtlattack.leaderboard.pages.lines import Line, View, make_line, views
from mtlattack.leaderboard.pages.numbers_file import numbers_script
from mtlattack.leaderboard.pages.quantities import SUMMARIES, Quantity, headline_metrics, task_quantities
from mtlattack.leaderboard.standings import Standing, headline_eps, stand

TOP = 5


@dataclass(frozen=True)
class SuiteView:
    """One suite and version: its table at the headline ε under each row's strongest attack, and its charts."""

    name: str
    version: int
    key: str
    page: str
    data: str
    sha256: str
    description: str
    images: str
    norm: str
    eps: str
    levels: list[str]
    attacks: list[str]
    statuses: list[tuple[Status, int]]
    summaries: list[Quantity]
    tasks: list[Quantity]
    lines: list[tuple[Line, View | None]]
    accuracy: Markup
    degrees: Markup
    script: str

    @property
    def all_rows(self) -> str:
        """`1 row` or `7 rows`."""
        return counted(len(self.lines), "row")

    @property
    def counting(self) -> list[tuple[Line, View | None]]:
        """Rows that were neither retracted nor superseded."""
        return [(line, view) for line, view in self.lines if line.counts]

    @property
    def top(self) -> list[tuple[Line, View | None]]:
        """The most robust rows."""
        return self.counting[:TOP]


def suite_view(rows: Sequence[StoredRow], last: Mapping[str, Event]) -> SuiteView:
    """The view of rows that are all of one suite and version."""
    first = rows[0].row
    levels = sorted({eps for stored in rows for eps in stored.row.threat.eps})
    headline = headline_eps(first)
    at_headline = stand(rows, last, headline)
    standings = _all_standing(rows, last, at_headline)
    attacks = list(dict.fromkeys(attack.name for stored in rows for attack in stored.row.attacks))
    metrics = headline_metrics(first)
    tasks = task_quantities(metrics)
    key = places.suite_key(first.suite.name, first.suite.version)
    shown = views(standings, headline, metrics)
    lines = [(make_line(standing), shown.get(standing.stored.id)) for standing in standings]
    return SuiteView(
        name=first.suite.name,
        version=first.suite.version,
        key=key,
        page=places.suite_page(first.suite.name, first.suite.version),
        data=places.suite_data(first.suite.name, first.suite.version),
        sha256=first.suite.sha256,
        description=_description(first.suite.name, first.suite.version),
        images=f"{first.data.images} images of {first.data.name} {first.data.split}",
        norm=NORMS[first.threat.norm],
        eps=eps_text(headline, first.threat.norm),
        levels=[eps_text(eps, first.threat.norm) for eps in levels],
        attacks=attacks,
        statuses=_counted([line.status for line, _ in lines]),
        summaries=list(SUMMARIES),
        tasks=tasks,
        lines=lines,
        accuracy=robustness_by_task(at_headline, {each.task: each.metric for each in metrics}, _href),
        degrees=degree_plot(at_headline, _href),
        script=numbers_script(key, standings, levels, attacks, [*SUMMARIES, *tasks], metrics),
    )


def _all_standing(rows: Sequence[StoredRow], last: Mapping[str, Event], at_headline: list[Standing]) -> list[Standing]:
    """Also rows without the headline ε, which stand by their own and below."""
    there = {standing.stored.id for standing in at_headline}
    return at_headline + stand([stored for stored in rows if stored.id not in there], last)


def _href(standing: Standing) -> str:
    return f"../{places.row_page(standing.stored.id)}"


def _description(name: str, version: int) -> str:
    """What the suite says of itself, if it is the one that ships."""
    if name in list_suites():
        suite = load_suite(name)
        if suite.version == version:
            return suite.description
    return ""


def _counted(found: Sequence[Status]) -> list[tuple[Status, int]]:
    return [(status, found.count(status)) for status in STATUSES if status in found]

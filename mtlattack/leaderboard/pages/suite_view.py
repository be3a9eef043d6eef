"""What stands on a suite's page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mtlattack.analysis.summaries import UNDEFINED
from mtlattack.analysis.tables import threat_text
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import STATUSES, Event, Status
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.charts import robust_curves, skill_against_clean, skill_against_degree
from mtlattack.leaderboard.pages.charts.scatter import scatter_legend
from mtlattack.leaderboard.pages.columns import MAIN_COLUMNS, Column, headlines
from mtlattack.leaderboard.pages.formats import Figure, counted, figure_of
from mtlattack.leaderboard.pages.lines import Line, View, make_line, views
from mtlattack.leaderboard.pages.numbers_file import numbers_script
from mtlattack.leaderboard.records import headline_eps
from mtlattack.leaderboard.standings import Standing, ranked, stand
from mtlattack.leaderboard.suites import shipped_suite

TOP = 5


@dataclass(frozen=True)
class SuiteView:
    """One suite and version: its table at the headline ε, robust skill at every ε, and its charts."""

    name: str
    version: int
    key: str
    page: str
    data: str
    sha256: str
    description: str
    images: str
    threat: str
    threats: list[str]
    attacks: list[str]
    statuses: list[tuple[Status, int]]
    main: list[Column]
    tasks: list[Column]
    lines: list[tuple[Line, View | None]]
    by_eps: list[tuple[Line, list[Figure]]]
    curves: Markup
    scatter: list[Markup]
    legend: Markup
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
    suite, record = rows[0].row.suite, rows[0].record
    results = [result for stored in rows for result in stored.record.attacks]
    levels = {each.eps: threat_text(each) for each in sorted(results, key=lambda each: each.eps)}
    headline = headline_eps(record)
    at_headline = stand(rows, last, headline)
    standings = _all_standing(rows, last, at_headline)
    attacks = list(dict.fromkeys(result.name for result in results))
    tasks = headlines(record)
    key, shown, ranks = places.suite_key(suite.name, suite.version), views(at_headline, tasks), ranked(at_headline)
    lines = [(make_line(standing), shown.get(standing.stored.id)) for standing in standings]
    shipped = shipped_suite(suite.name, suite.version)
    return SuiteView(
        name=suite.name,
        version=suite.version,
        key=key,
        page=places.suite_page(suite.name, suite.version),
        data=places.suite_data(suite.name, suite.version),
        sha256=suite.sha256,
        description=shipped.description if shipped else "",
        images=f"{record.data['images']} images of {record.data['name']} {record.data['split']}",
        threat=levels[headline],
        threats=list(levels.values()),
        attacks=attacks,
        statuses=_counted([line.status for line, _ in lines]),
        main=list(MAIN_COLUMNS),
        tasks=tasks,
        lines=lines,
        by_eps=[(line, _by_eps(each, levels)) for (line, _), each in zip(lines, standings, strict=True) if each.counts],
        curves=robust_curves(standings),
        scatter=[draw(at_headline, ranks, _href) for draw in (skill_against_clean, skill_against_degree)],
        legend=scatter_legend(),
        script=numbers_script(key, standings, levels, headline, attacks, tasks),
    )


def _all_standing(rows: Sequence[StoredRow], last: Mapping[str, Event], at_headline: list[Standing]) -> list[Standing]:
    """Also rows without the headline ε, which stand by their own and below."""
    there = {standing.stored.id for standing in at_headline}
    return at_headline + stand([stored for stored in rows if stored.id not in there], last)


def _by_eps(standing: Standing, levels: Mapping[float, str]) -> list[Figure]:
    """Robust skill at each of the levels."""
    found = {each.eps: figure_of(each.skill.mean) for each in standing.stored.record.robust_skill}
    return [found.get(eps, figure_of(UNDEFINED)) for eps in levels]


def _href(standing: Standing) -> str:
    return f"../{places.row_page(standing.stored.id)}"


def _counted(found: Sequence[Status]) -> list[tuple[Status, int]]:
    return [(status, found.count(status)) for status in STATUSES if status in found]

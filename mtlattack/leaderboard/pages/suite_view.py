"""What stands on a suite's page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtlattack.analysis.summaries import mean_of
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.formats import Figure, figure_of
from mtlattack.leaderboard.ledger import STATUSES, Event
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.charts import robust_curves, skill_against_clean, skill_against_degree
from mtlattack.leaderboard.pages.columns import cells_of, headlines
from mtlattack.leaderboard.pages.numbers_file import numbers_script
from mtlattack.leaderboard.pages.row_view import row_files
from mtlattack.leaderboard.records import headline_eps, robust_at, threat_texts
from mtlattack.leaderboard.showing.facts import valid_link
from mtlattack.leaderboard.standings import Standing, stand
from mtlattack.leaderboard.suites import shipped_suite
from mtlattack.wording import counted


@dataclass(frozen=True)
class Line:
    """A row of the table: its numbers (none where it has no headline ε), and where its evidence lies as seen from the
    suite's page, if it does."""

    standing: Standing
    cells: list[Figure]
    evidence: str | None

    @property
    def paper(self) -> str | None:
        """The address of its model's paper."""
        return valid_link(self.standing.stored.row.model.paper)


class SuiteView:
    """One suite and version: its table at the headline ε, robust skill at every ε, and its charts; `rows` are all of
    it, `last` is each row's last event, and pages are written to `folder`."""

    def __init__(self, rows: Sequence[StoredRow], last: Mapping[str, Event], folder: Path) -> None:
        suite, record = rows[0].row.suite, rows[0].record
        self.name, self.version, self.sha256 = suite.name, suite.version, suite.sha256
        self.key = places.suite_key(suite.name, suite.version)
        self.page, self.data = places.suite_page(suite.name, suite.version), f"suites/{self.key}.js"
        shipped = shipped_suite(suite.name, suite.version)
        self.description = shipped.description if shipped else ""
        self.images = f"{counted(record.data['images'], 'image')} of {record.data['name']} {record.data['split']}"
        results = [result for stored in rows for result in stored.record.attacks]
        self.attacks = list(dict.fromkeys(result.name for result in results))
        self.threats, headline, self.tasks = threat_texts(results), headline_eps(record), headlines(record)
        self.threat = self.threats[headline]
        at_headline = stand(rows, last, headline)
        there = {standing.stored.id for standing in at_headline}
        # Rows without the headline ε stand by their own, below and without numbers.
        others = stand([stored for stored in rows if stored.id not in there], last)
        standings = at_headline + others
        cells = [cells_of(each, self.tasks) for each in at_headline] + [[] for _ in others]
        evidence = [row_files(each.stored, folder / "suites")[1].href for each in standings]
        self.lines = [Line(*each) for each in zip(standings, cells, evidence, strict=True)]
        self.papers = any(line.paper for line in self.lines)
        found = [standing.status for standing in standings]
        self.statuses = [(status, found.count(status)) for status in STATUSES if status in found]
        self.against_clean = {root: skill_against_clean(at_headline, root) for root in ("", "../")}
        self.charts = [robust_curves(standings), skill_against_degree(at_headline)]
        self.script = numbers_script(self.key, standings, last, self.threats, self.attacks, self.tasks)

    @property
    def all_rows(self) -> str:
        """`1 row` or `7 rows`."""
        return counted(len(self.lines), "row")

    @property
    def counting(self) -> list[Line]:
        """The rows that were neither retracted nor superseded."""
        return [line for line in self.lines if line.standing.counts]

    def left(self, standing: Standing) -> list[Figure]:
        """A row's robust skill at each ε."""
        found = (robust_at(standing.stored.record, eps) for eps in self.threats)
        return [figure_of(mean_of(robust.skill if robust else None)) for robust in found]

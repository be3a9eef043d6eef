"""What stands on a row's page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtlattack.analysis import AttackResult, Record
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.formats import Figure, size
from mtlattack.leaderboard.ledger import Event
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.charts import attack_curves
from mtlattack.leaderboard.pages.columns import SUMMARY_COLUMNS, Column, cells_of, headlines, of_metric, of_skill
from mtlattack.leaderboard.pages.transfer import Transfer, transfer_map
from mtlattack.leaderboard.records import attacks_at, robust_at, strongest, tasks_of, threat_texts
from mtlattack.leaderboard.showing.facts import Fact, card_facts, commands, cost_text, provenance
from mtlattack.leaderboard.standings import stand


@dataclass(frozen=True)
class Level:
    """All attacks at one ε, the strongest of them, and the skill that is left: the attack's name and a cell a column,
    None where no skill is known."""

    threat: str
    anchor: str
    headline: bool
    attacks: list[AttackResult]
    strongest: AttackResult
    left: tuple[str, list[Figure]] | None
    transfer: Transfer


class RowView:
    """Everything about one row; `events` are the row's own, `known` all rows by id, and pages are written to
    `folder`."""

    def __init__(
        self, stored: StoredRow, events: Sequence[Event], known: Mapping[str, StoredRow], folder: Path
    ) -> None:
        self.stored, self.row, self.record, self.history = stored, stored.row, stored.record, events
        self.page = places.row_page(stored.id)
        self.suite_page = places.suite_page(self.row.suite.name, self.row.suite.version)
        [standing] = stand([stored], {event.row: event for event in events})
        self.status, self.strongest, self.known = standing.status, standing.strongest.name, known
        judged = tasks_of(self.record).values()
        self.tasks = headlines(self.record)
        self.cells = cells_of(standing, self.tasks)
        self.skills = [SUMMARY_COLUMNS[0], *(of_skill(task) for task in judged)]
        self.details = [*self.skills[1:], *(of_metric(task, metric) for task in judged for metric in task.metric_table)]
        threats = threat_texts(self.record.attacks)
        self.threat = threats[standing.eps]
        self.levels = [_level(self.record, eps, threats[eps], eps == standing.eps, self.skills) for eps in threats]
        self.curves = attack_curves(self.record)
        self.card, self.provenance, self.cost = card_facts(self.row), provenance(stored), cost_text(self.record)
        self.files, self.commands = row_files(stored, folder / "rows"), commands(stored)


def row_files(stored: StoredRow, folder: Path) -> list[Fact]:
    """Links from pages in `folder` to the row and to its evidence, if that lies there."""
    said, evidence = stored.row.evidence, stored.evidence_path
    there = evidence.is_file() and not evidence.is_symlink()
    note = f"{'' if there else 'missing; '}{size(said.bytes)}, SHA-256 {said.sha256}"
    return [
        Fact("row", stored.path.name, places.relative_url(stored.path, folder), True, "canonical JSON"),
        Fact("evidence", said.file, places.relative_url(evidence, folder) if there else None, True, note),
    ]


def _level(record: Record, eps: float, threat: str, headline: bool, skills: Sequence[Column]) -> Level:
    results, robust, left = attacks_at(record, eps), robust_at(record, eps), None
    if robust is not None:
        least = next(each for each in results if each.name == robust.attack)
        left = least.name, [column.figure(least) for column in skills]
    anchor = "".join(character if character.isalnum() else "-" for character in threat)
    transfer = transfer_map(results, list(tasks_of(record)))
    return Level(threat, anchor, headline, results, strongest(record, eps), left, transfer)

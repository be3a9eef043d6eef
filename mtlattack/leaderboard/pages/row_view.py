"""What stands on a row's page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mtlattack.analysis import AttackResult, Record
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import Event, Status
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.charts import attack_curves
from mtlattack.leaderboard.pages.columns import MAIN_COLUMNS, SUMMARY_COLUMNS, Column, headlines, of_metric, of_skill
from mtlattack.leaderboard.pages.flags import flag_meaning
from mtlattack.leaderboard.pages.formats import Figure, duration, moment
from mtlattack.leaderboard.pages.lines import View, cost_text, views
from mtlattack.leaderboard.pages.row_facts import Fact, card_facts, commands, provenance
from mtlattack.leaderboard.pages.transfer import Transfer, transfer_map
from mtlattack.leaderboard.records import attacks_at, headline_eps, levels_of, robust_at, strongest, tasks_of, threat_at
from mtlattack.leaderboard.standings import Standing


@dataclass(frozen=True)
class Change:
    """An event of the ledger."""

    at: str
    status: Status
    sign: str
    by: str
    note: str
    successor: str | None
    successor_page: str | None


@dataclass(frozen=True)
class RaisedFlag:
    """A flag, where it was raised, and what it means."""

    name: str
    attack: str
    seen: str
    meaning: str


@dataclass(frozen=True)
class AttackLine:
    """An attack at one ε: the summaries, the tasks' headline metrics, skill by task and all metrics, what it took."""

    name: str
    strongest: bool
    summaries: list[Figure]
    tasks: list[Figure]
    details: list[Figure]
    passes: str
    seconds: str


@dataclass(frozen=True)
class SkillLine:
    """The skill of clean images, or what is left in one threat under the attack that leaves least: mean, each task."""

    threat: str
    attack: str
    cells: list[Figure]


@dataclass(frozen=True)
class Level:
    """All attacks at one ε."""

    threat: str
    anchor: str
    headline: bool
    attacks: list[AttackLine]
    transfer: Transfer


@dataclass(frozen=True)
class RowView:
    """Everything about one row."""

    id: str
    page: str
    name: str
    suite: str
    suite_version: int
    suite_page: str
    status: Status
    sign: str
    meaning: str
    history: list[Change]
    card: list[Fact]
    flags: list[RaisedFlag]
    checked: list[str]
    main: list[Column]
    clean_skill: Figure
    headline: View
    headline_attack: str
    headline_threat: str
    skills: list[Column]
    skill: list[SkillLine]
    summaries: list[Column]
    tasks: list[Column]
    clean: list[Figure]
    details: list[Column]
    clean_details: list[Figure]
    levels: list[Level]
    curves: Markup
    cost: str
    provenance: list[Fact]
    files: list[Fact]
    commands: list[str]


def row_view(
    stored: StoredRow, events: Sequence[Event], known: Mapping[str, StoredRow], files: Sequence[Fact]
) -> RowView:
    """The view of a row; `events` are the row's own, `known` all rows by id, `files` its JSON and its evidence."""
    row, record = stored.row, stored.record
    status: Status = events[-1].status if events else "self-reported"
    eps, judged = headline_eps(record), tasks_of(record).values()
    standing = Standing(stored, status, eps, robust_at(record, eps), strongest(record, eps))
    tasks, skills = headlines(record), [SUMMARY_COLUMNS[0], *(of_skill(task) for task in judged)]
    details = [*skills[1:], *(of_metric(task, metric) for task in judged for metric in task.metric_table)]
    return RowView(
        id=stored.id,
        page=places.row_page(stored.id),
        name=row.model.name,
        suite=row.suite.name,
        suite_version=row.suite.version,
        suite_page=places.suite_page(row.suite.name, row.suite.version),
        status=status,
        sign=places.SIGNS[status],
        meaning=places.MEANINGS[status],
        history=[_change(event, known) for event in events],
        card=card_facts(row),
        flags=[RaisedFlag(f.name, f.attack or "the model", f.seen, flag_meaning(f.name)) for f in record.flags],
        checked=list(record.checked),
        main=list(MAIN_COLUMNS),
        clean_skill=SUMMARY_COLUMNS[0].clean_figure(record),
        headline=views([standing], tasks)[stored.id],
        headline_attack=standing.strongest.name,
        headline_threat=str(threat_at(record, eps)),
        skills=skills,
        skill=_skill_lines(record, skills),
        summaries=list(SUMMARY_COLUMNS),
        tasks=tasks,
        clean=[column.clean_figure(record) for column in tasks],
        details=details,
        clean_details=[column.clean_figure(record) for column in details],
        levels=[_level(record, level, level == eps, tasks, details) for level in sorted(levels_of(record))],
        curves=attack_curves(record),
        cost=cost_text(standing),
        provenance=provenance(stored),
        files=list(files),
        commands=commands(stored),
    )


def _change(event: Event, known: Mapping[str, StoredRow]) -> Change:
    successor = event.successor if event.successor in known else None
    page = None if successor is None else f"{successor}.html"
    sign = places.SIGNS[event.status]
    return Change(moment(event.at), event.status, sign, event.by, event.note, event.successor, page)


def _skill_lines(record: Record, columns: Sequence[Column]) -> list[SkillLine]:
    """Clean, then each ε; nothing for evidence without skill."""
    if record.clean_skill is None:
        return []
    lines = [SkillLine("clean", "", [column.clean_figure(record) for column in columns])]
    for eps in sorted(levels_of(record)):
        robust = robust_at(record, eps)
        if robust is not None:
            least = next(each for each in attacks_at(record, eps) if each.name == robust.attack)
            figures = [column.figure(least) for column in columns]
            lines.append(SkillLine(str(threat_at(record, eps)), robust.attack, figures))
    return lines


def _level(record: Record, eps: float, headline: bool, tasks: Sequence[Column], details: Sequence[Column]) -> Level:
    best, results = strongest(record, eps), attacks_at(record, eps)
    lines = [_attack_line(result, result is best, tasks, details) for result in results]
    threat = str(threat_at(record, eps))
    anchor = "".join(character if character.isalnum() else "-" for character in threat)
    return Level(threat, anchor, headline, lines, transfer_map(results, list(tasks_of(record))))


def _attack_line(result: AttackResult, best: bool, tasks: Sequence[Column], details: Sequence[Column]) -> AttackLine:
    return AttackLine(
        name=result.name,
        strongest=best,
        summaries=[column.figure(result) for column in SUMMARY_COLUMNS],
        tasks=[column.figure(result) for column in tasks],
        details=[column.figure(result) for column in details],
        passes=f"{result.forward_passes:,} + {result.backward_passes:,}",
        seconds=duration(result.seconds),
    )

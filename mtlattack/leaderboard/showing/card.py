"""One row as text: who says what of which model, what became of it on the board, and what the attacks did."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mtlattack.analysis import AttackResult, Record
from mtlattack.analysis.record import Skill
from mtlattack.analysis.tables import attack_tables, compact_interval, flag_notes, markdown_tables, member_notes
from mtlattack.errors import UnknownNameError
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.formats import moment
from mtlattack.leaderboard.ledger import Event
from mtlattack.leaderboard.records import tasks_of, threat_at, threats_of
from mtlattack.leaderboard.showing.facts import card_facts, cost_text, provenance
from mtlattack.leaderboard.showing.selection import eps_of
from mtlattack.markdown import escape
from mtlattack.tasks import Task

Field = tuple[str, str]


def render_card(stored: StoredRow, events: Iterable[Event], eps: float | None = None, task: str | None = None) -> Group:
    """Card, history and attack tables of a row; `eps` (as in suites) and `task` leave only what is about them.

    InputError for an ε or a task that the row does not have.
    """
    record = stored.record
    tasks, results = _chosen(record, eps, task)
    history = [Text(f"  {line}") for line in _history(stored, events)]
    parts: list[RenderableType] = [Text(_title(stored)), _grid(card_fields(stored)), Text(), Text("history")]
    parts += [*history, Text(), *attack_tables(record.clean, list(tasks.values()), results)]
    return Group(*parts, *(Text(note) for note in _notes(record, results)))


def card_to_markdown(
    stored: StoredRow, events: Iterable[Event], eps: float | None = None, task: str | None = None
) -> str:
    """The same as Markdown; what submitters wrote stays text."""
    record = stored.record
    tasks, results = _chosen(record, eps, task)
    lines = [f"**{escape(_title(stored))}**", ""]
    lines += [f"- {name}: {escape(value)}" for name, value in card_fields(stored)]
    lines += ["", "History:", "", *(f"- {escape(line)}" for line in _history(stored, events)), ""]
    lines += markdown_tables(record.clean, list(tasks.values()), results)
    return "\n".join([*lines, *(f"- {escape(note)}" for note in _notes(record, results)), ""])


def card_fields(stored: StoredRow) -> list[Field]:
    """What a row says beside its tables, and its skill, as names and texts."""
    row, record = stored.row, stored.record
    said = [*card_facts(row), *provenance(stored)]
    return [
        ("suite", f"{row.suite.name} v{row.suite.version}"),
        ("threat", " · ".join(map(str, threats_of(record)))),
        *((fact.name, f"{fact.text} ({fact.note})" if fact.note else fact.text) for fact in said),
        ("evidence", f"{row.evidence.file}, {row.evidence.bytes:,} bytes"),
        ("cost of all attacks", cost_text(record)),
        *_skills(record),
    ]


def _skills(record: Record) -> list[Field]:
    """Without attack, and for each threat under the attack that leaves least; nothing where the evidence has none."""
    fields = [] if record.clean_skill is None else [("clean skill", _skill_text(record.clean_skill))]
    for robust in record.robust_skill:
        threat = threat_at(record, robust.eps)
        fields.append((f"robust skill, {threat}", f"{_skill_text(robust.skill)}, under {robust.attack}"))
    return fields


def _skill_text(skill: Skill) -> str:
    worst = f"; worst {skill.worst_task} {compact_interval(skill.worst, percent=False)}" if skill.worst_task else ""
    return compact_interval(skill.mean, percent=False) + worst


def _chosen(record: Record, eps: float | None, task: str | None) -> tuple[dict[str, Task], list[AttackResult]]:
    tasks, results = tasks_of(record), record.attacks
    if task is not None:
        if task not in tasks:
            raise UnknownNameError("task", task, tasks)
        tasks = {task: tasks[task]}
    if eps is not None:
        level = eps_of(record, eps)
        results = [result for result in results if result.eps == level]
    return tasks, results


def _title(stored: StoredRow) -> str:
    return f"row {stored.id}: {stored.row.model.name} on {stored.row.suite.name} v{stored.row.suite.version}"


def _history(stored: StoredRow, events: Iterable[Event]) -> list[str]:
    """The row's lines of the ledger."""
    own = [event for event in events if event.row == stored.id]
    if not own:
        return ["not in the ledger"]
    lines = []
    for event in own:
        successor = f" by row {event.successor}" if event.successor else ""
        note = f": {event.note}" if event.note else ""
        lines.append(f"{moment(event.at)} {event.status}{successor}, says {event.by}{note}")
    return lines


def _notes(record: Record, results: Sequence[AttackResult]) -> list[str]:
    return member_notes(results) + flag_notes(record.flags, record.checked)


def _grid(fields: Iterable[Field]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 2))
    grid.add_column(no_wrap=True)
    # Links, hashes and commands are copied: folded, not cut.
    grid.add_column(overflow="fold")
    for name, value in fields:
        grid.add_row(Text(name), Text(value))
    return grid

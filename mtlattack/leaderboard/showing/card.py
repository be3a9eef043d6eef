"""One row as text: who says what of which model, what became of it on the board, and what the attacks did."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mtlattack.analysis.record import AttackResult
from mtlattack.analysis.tables import attack_tables, flag_notes, markdown_tables, member_notes, width_of
from mtlattack.attacks import Threat
from mtlattack.errors import UnknownNameError
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import Event
from mtlattack.leaderboard.rows.results import clean_of, results_of, tasks_of
from mtlattack.leaderboard.rows.schema import Row
from mtlattack.leaderboard.showing.markdown import code, escape
from mtlattack.leaderboard.showing.selection import eps_of
from mtlattack.tasks import Task

Field = tuple[str, str]


def render_card(stored: StoredRow, events: Iterable[Event], eps: float | None = None, task: str | None = None) -> Group:
    """Card, history and attack tables of a row; `eps` (as in suites) and `task` leave only what is about them.

    InputError for an ε or a task that the row does not have.
    """
    tasks, results = _chosen(stored.row, eps, task)
    clean = clean_of(stored.row, tasks)
    history = [Text(f"  {line}") for line in _history(stored, events)]
    parts: list[RenderableType] = [Text(_title(stored)), _grid(card_fields(stored.row)), Text(), Text("history")]
    parts += [*history, Text(), *attack_tables(clean, list(tasks.values()), results)]
    return Group(*parts, *(Text(note) for note in _notes(stored.row, results)))


def card_to_markdown(
    stored: StoredRow, events: Iterable[Event], eps: float | None = None, task: str | None = None
) -> str:
    """The same as Markdown; what submitters wrote stays text."""
    tasks, results = _chosen(stored.row, eps, task)
    lines = [f"**{escape(_title(stored))}**", ""]
    lines += [f"- {name}: {escape(value)}" for name, value in card_fields(stored.row)]
    lines += ["", "History:", "", *(f"- {escape(line)}" for line in _history(stored, events)), ""]
    # A name in a table's cell.
    safe = [result.model_copy(update={"name": code(result.name)}) for result in results]
    lines += markdown_tables(clean_of(stored.row, tasks), list(tasks.values()), safe)
    return "\n".join([*lines, *(f"- {escape(note)}" for note in _notes(stored.row, results)), ""])


def width_of_card(row: Row) -> int:
    """Columns that a card's tables take."""
    return width_of(results_of(row, tasks_of(row)))


def card_fields(row: Row) -> list[Field]:
    """What a row says beside its numbers, as names and texts."""
    model, data, ran = row.model, row.data, row.environment
    threat = row.threat
    levels = " · ".join(str(Threat(threat.norm, eps, threat.quantized)) for eps in threat.eps)
    hashes = ", ".join(f"{name} {digest[:8]}" for name, digest in data.sha256.items())
    fields: list[tuple[str, str | float | None]] = [
        ("suite", f"{row.suite.name} v{row.suite.version} ({row.suite.sha256[:8]})"),
        ("data", f"{data.images} images of {data.name} {data.split} ({hashes})"),
        ("threat", levels),
        ("model", model.name),
        ("parameters", f"{model.parameters:,}"),
        ("layout", model.layout),
        ("sharing degree", model.sharing_degree),
        ("adversarial training", model.adversarial_training or "none"),
        ("extra data", model.extra_data or "none"),
        ("licence", model.licence),
        ("paper", model.paper),
        ("code", model.code),
        ("note", model.note or None),
        ("weights", model.weights_sha256),
        ("checkpoint", model.checkpoint_sha256),
        ("submitted", f"{_moment(row.submitted.at)} by {row.submitted.name}"),
        (
            "run",
            f"{_moment(ran.started)}, {row.cost.seconds:.0f} s on {ran.device} ({ran.system}), commit {ran.commit}",
        ),
        ("passes an image", f"{row.cost.forward_passes}+{row.cost.backward_passes} forward+backward"),
        ("versions", ", ".join(f"{name} {version}" for name, version in ran.versions.items())),
        ("seed", f"{ran.seed}, gradients in {ran.search_precision}, batches of {ran.batch_size}"),
        ("command", ran.command),
        ("evidence", f"{row.evidence.file}, {row.evidence.bytes:,} bytes"),
    ]
    return [(name, "–" if value is None else str(value)) for name, value in fields]


def _chosen(row: Row, eps: float | None, task: str | None) -> tuple[dict[str, Task], list[AttackResult]]:
    tasks = tasks_of(row)
    if task is not None:
        if task not in tasks:
            raise UnknownNameError("task", task, tasks)
        tasks = {task: tasks[task]}
    results = results_of(row, tasks)
    if eps is not None:
        level = eps_of(row, eps)
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
        lines.append(f"{_moment(event.at)} {event.status}{successor}, says {event.by}{note}")
    return lines


def _notes(row: Row, results: Sequence[AttackResult]) -> list[str]:
    return member_notes(results) + flag_notes(row.flags, row.checked)


def _grid(fields: Iterable[Field]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 2))
    grid.add_column(no_wrap=True)
    # Links, hashes and commands are copied: folded, not cut.
    grid.add_column(overflow="fold")
    for name, value in fields:
        grid.add_row(Text(name), Text(value))
    return grid


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M %Z}"

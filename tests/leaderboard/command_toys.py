"""Calling `mtlattack leaderboard …` in this process, and boards with several rows."""

from datetime import UTC, datetime
from typing import Any, get_args

from leaderboard_toys import store
from typer.testing import CliRunner

from mtlattack.cli.main import app
from mtlattack.errors import InputError
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.ledger import Event, Status, append
from mtlattack.leaderboard.rows.schema import Row


def good(*arguments: object) -> str:
    """Standard output of a command that must succeed."""
    ran = CliRunner().invoke(app, ["leaderboard", *map(str, arguments)])
    assert (ran.exit_code, ran.exception, ran.stderr) == (0, None, "")
    return ran.stdout


def bad(*arguments: object) -> str:
    """The message of a command that must end in an InputError before it prints anything."""
    ran = CliRunner().invoke(app, ["leaderboard", *map(str, arguments)])
    assert isinstance(ran.exception, InputError) and ran.stdout == ""
    return str(ran.exception)


def variant(row: Row, factor: float = 1.0, **card: Any) -> Row:
    """The row with every log loss ratio times a factor, and changes to its model card."""
    attacks = [
        attack.model_copy(update={"log_ratio": attack.log_ratio.model_copy(update={
            name: None if value is None else value * factor for name, value in attack.log_ratio.model_dump().items()
        })})
        for attack in row.attacks
    ]  # fmt: skip
    return row.model_copy(update={"attacks": attacks, "model": row.model.model_copy(update=card)})


def of_version(row: Row, version: int) -> Row:
    """The row under another version of its suite."""
    return row.model_copy(update={"suite": row.suite.model_copy(update={"version": version})})


def put(board: Board, beside: StoredRow, row: Row) -> StoredRow:
    """A row more, with the evidence of one that is there."""
    return store(board.root, row, beside.evidence_path.read_bytes())


def mark(board: Board, stored: StoredRow, status: str, note: str = "", successor: str | None = None) -> None:
    """One more line of the ledger."""
    assert status in get_args(Status)
    append(board.ledger, Event(row=stored.id, status=status, at=datetime.now(UTC), by="keeper", note=note,
                               successor=successor))  # type: ignore[arg-type]  # fmt: skip

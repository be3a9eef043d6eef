"""Calling `mtlattack leaderboard …` in this process, and boards with several rows."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np
from leaderboard_toys import store
from typer.testing import CliRunner

from mtlattack.cli.application import app
from mtlattack.errors import InputError
from mtlattack.evidence import Evidence, Outcome
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


def variant(row: Row, **card: Any) -> Row:
    """The row with changes to its model card."""
    return row.model_copy(update={"model": row.model.model_copy(update=card)})


def harmless(evidence: Evidence) -> Evidence:
    """As if no attack had changed anything that is predicted: robust skill is clean skill, log loss ratios are 0."""
    clean = evidence.clean
    attacked = [replace(each, losses=clean.losses, statistics=clean.statistics) for each in evidence.attacked]
    return replace(evidence, attacked=attacked)


def hopeless(evidence: Evidence, since: int = 0) -> Evidence:
    """As if every attack (from the one at the place `since` on) made of each answer a constant: robust skill 0."""
    assert evidence.constant is not None
    hurt = [replace(each, statistics=evidence.constant) for each in evidence.attacked[since:]]
    return replace(evidence, attacked=[*evidence.attacked[:since], *hurt])


def halved(evidence: Evidence) -> Evidence:
    """As if every attack had been half as strong: the roots of its loss ratios."""

    def weaker(outcome: Outcome) -> Outcome:
        losses = evidence.clean.losses * np.sqrt(outcome.losses / evidence.clean.losses)
        return replace(outcome, losses=losses.astype(np.float32).astype(np.float64))

    return replace(evidence, attacked=[weaker(outcome) for outcome in evidence.attacked])


def without_skill(evidence: Evidence) -> Evidence:
    """As evidence was before constant answers stood in it."""
    plan = {key: value for key, value in evidence.plan.items() if key != "constants"}
    return replace(evidence, plan=plan, constant=None)


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

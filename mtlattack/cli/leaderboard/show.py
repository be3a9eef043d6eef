"""`mtlattack leaderboard show`: the standings, or one row."""

import re
from enum import StrEnum
from typing import Annotated

import typer

from mtlattack.cli.leaderboard.options import BOARD, BoardOption
from mtlattack.errors import InputError
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.ledger import Event, read_ledger, statuses
from mtlattack.leaderboard.showing.card import card_to_markdown, render_card
from mtlattack.leaderboard.showing.selection import Selection, parse_statuses, select
from mtlattack.leaderboard.showing.tables import (
    about_task,
    rankings_to_markdown,
    render_rankings,
)
from mtlattack.leaderboard.suites import shipped_suite
from mtlattack.printing import print_parts

_ID_PREFIX = re.compile("[0-9a-f]{1,16}")


class Format(StrEnum):
    """How the board is written."""

    TABLE = "table"
    MARKDOWN = "markdown"


def show(
    what: Annotated[
        str | None, typer.Argument(metavar="[SUITE|ROW]", help="A row by the first digits of its id.")
    ] = None,
    board: BoardOption = BOARD,
    version: Annotated[int | None, typer.Option(help="Of the suite; default: the newest.")] = None,
    eps: Annotated[float | None, typer.Option(help="As in suites: for linf in grey levels of 255.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="Only rows with this status; may be repeated.")] = None,
    model: Annotated[str, typer.Option(help="Only models that match this glob.")] = "*",
    task: Annotated[str | None, typer.Option(help="All metrics of this task alone.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Withdrawn rows as well.")] = False,
    top: Annotated[int | None, typer.Option(min=1, help="So many rows of each suite version.")] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.TABLE,
) -> None:
    """Print how the rows of each suite version stand against each other, the most robust first; or one row."""
    found = Board(board)
    events, rows = read_ledger(found.ledger), found.read_all()
    if what is not None and _is_row(what, rows):
        if version is not None or status or model != "*" or all or top is not None:
            raise InputError(f"{what} is a row: only --eps, --task and --format go with it")
        _show_row(found.find(what), events, eps, task, format)
        return
    wanted = Selection(what, version, eps, parse_statuses(status or ()), model, all, top)
    rankings = select(rows, statuses(events), wanted)
    if format is Format.MARKDOWN:
        print(rankings_to_markdown(about_task(rankings, task)), end="")
    else:
        print_parts(render_rankings(rankings, task))


def _is_row(what: str, rows: list[StoredRow]) -> bool:
    """Whether this is meant as a row's id: no suite is called so."""
    suites = {stored.row.suite.name for stored in rows}
    return what not in suites and shipped_suite(what) is None and _ID_PREFIX.fullmatch(what) is not None


def _show_row(stored: StoredRow, events: list[Event], eps: float | None, task: str | None, format: Format) -> None:
    if format is Format.MARKDOWN:
        print(card_to_markdown(stored, events, eps, task), end="")
    else:
        print_parts(render_card(stored, events, eps, task))

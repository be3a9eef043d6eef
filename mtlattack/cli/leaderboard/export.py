"""`mtlattack leaderboard export`: the board for other programs."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mtlattack.cli.leaderboard.options import BOARD, BoardOption
from mtlattack.errors import InputError
from mtlattack.files import write_whole
from mtlattack.leaderboard.board import Board
from mtlattack.leaderboard.ledger import read_ledger, statuses
from mtlattack.leaderboard.showing.bibtex import to_bibtex
from mtlattack.leaderboard.showing.exports import to_csv, to_documents
from mtlattack.leaderboard.showing.selection import check_suite


class ExportFormat(StrEnum):
    """What the board is turned into."""

    CSV = "csv"
    JSON = "json"
    BIBTEX = "bibtex"


def export(
    format: Annotated[
        ExportFormat, typer.Argument(help="The columns of the board, all that is known, or entries to cite.")
    ],
    board: BoardOption = BOARD,
    suite: Annotated[list[str] | None, typer.Option(help="Only rows of this suite; may be repeated.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; default: print.")] = None,
) -> None:
    """Write every row with its status; as BibTeX those that count alone."""
    found = Board(board)
    rows, last = found.read_all(), statuses(read_ledger(found.ledger))
    for name in suite or ():
        check_suite(name, rows)
    rows = [stored for stored in rows if not suite or stored.row.suite.name in suite]
    if format is ExportFormat.CSV:
        text = to_csv(rows, last)
    elif format is ExportFormat.JSON:
        text = json.dumps(to_documents(rows, last), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        text = to_bibtex(rows, last)
    if out is None:
        print(text, end="")
        return
    try:
        write_whole(out, text)
    except OSError as error:
        raise InputError(f"cannot write {out} ({error.strerror})") from None

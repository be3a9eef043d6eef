"""`mtlattack leaderboard status`: what became of a row, for those who keep the board."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from mtlattack.cli.leaderboard.options import BOARD, BoardOption
from mtlattack.errors import UnknownNameError
from mtlattack.leaderboard.board import Board
from mtlattack.leaderboard.ledger import STATUSES, Event, append, check_successor
from mtlattack.leaderboard.succession import check_succession
from mtlattack.schemas import validate


def set_status(
    row: Annotated[str, typer.Argument(help="Row, by the beginning of its id.")],
    status: Annotated[str, typer.Argument(help=", ".join(STATUSES))],
    by: Annotated[str, typer.Option(help="Who says so.")],
    note: Annotated[str, typer.Option(help="Why.")] = "",
    successor: Annotated[str | None, typer.Option(help="The row that supersedes it.")] = None,
    board: BoardOption = BOARD,
) -> None:
    """Add a line to the ledger: a row's status changes, the row never does."""
    if status not in STATUSES:
        raise UnknownNameError("status", status, STATUSES)
    place = Board(board)
    stored = place.find(row)
    check_successor(stored.id, status, successor)
    event = {"row": stored.id, "status": status, "at": datetime.now(UTC), "by": by, "note": note}
    if successor is not None:
        new = place.find(successor)
        check_succession(stored, new.row)
        event["successor"] = new.id
    append(place.ledger, validate(Event, event, "status: "))
    print(f"{stored.id} {stored.row.model.name}: {status}, in {place.ledger}")

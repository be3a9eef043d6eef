"""`mtlattack leaderboard diff`: what differs between two rows."""

from typing import Annotated

import typer
from rich.text import Text

from mtlattack.cli.leaderboard.options import BOARD, BoardOption
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.comparing.difference import compare_rows
from mtlattack.leaderboard.comparing.difference_tables import (
    render_columns,
    render_fields,
    render_heading,
    render_paired,
)
from mtlattack.leaderboard.ledger import read_ledger, statuses
from mtlattack.leaderboard.showing.selection import eps_of
from mtlattack.leaderboard.standings import Standing, by_suite, stand
from mtlattack.printing import print_parts

_RowArgument = Annotated[str, typer.Argument(metavar="ROW", help="A row, by the first digits of its id.")]


def diff(
    one: _RowArgument,
    two: _RowArgument,
    board: BoardOption = BOARD,
    eps: Annotated[float | None, typer.Option(help="Differences at this ε alone; as in suites.")] = None,
    attack: Annotated[str, typer.Option(help="Differences under attacks that match this glob alone.")] = "*",
) -> None:
    """Print what two rows say differently and, if they are of one suite version, how they stand on its board.

    Then the paired bootstrap of their difference over the same images, under each attack.
    """
    found = Board(board)
    first, second = found.find(one), found.find(two)
    level = None if eps is None else eps_of(first.record, eps)
    compared = compare_rows(first, second).narrowed(level, attack)
    parts = [render_heading(first, second), render_fields(compared.fields)]
    if compared.remark is None:
        parts.append(render_columns(*_standings(found, first, second, level)))
    if compared.paired:
        parts.append(render_paired(compared.paired, first.record))
    if compared.remark:
        parts.append(Text(compared.remark))
    print_parts(*(piece for part in parts for piece in (part, Text())))


def _standings(board: Board, one: StoredRow, two: StoredRow, eps: float | None) -> list[Standing]:
    """Where both stand among the rows of their suite version."""
    group = by_suite(board.read_all())[one.row.suite.name, one.row.suite.version]
    last = statuses(read_ledger(board.ledger))
    known = {standing.stored.id: standing for standing in stand(group, last, eps)}
    return [known[one.id], known[two.id]]

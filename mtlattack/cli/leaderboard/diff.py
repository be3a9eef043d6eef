"""`mtlattack leaderboard diff`: what differs between two rows."""

from typing import Annotated

import typer
from rich.text import Text

from mtlattack.analysis.tables import WIDTH
from mtlattack.cli.leaderboard.options import BOARD, BoardOption, board_console
from mtlattack.leaderboard.board import Board
from mtlattack.leaderboard.comparing.difference import compare_rows
from mtlattack.leaderboard.comparing.difference_tables import (
    render_fields,
    render_heading,
    render_numbers,
    render_paired,
)
from mtlattack.leaderboard.showing.selection import eps_of

_RowArgument = Annotated[str, typer.Argument(metavar="ROW", help="A row, by the first digits of its id.")]


def diff(
    one: _RowArgument,
    two: _RowArgument,
    board: BoardOption = BOARD,
    eps: Annotated[float | None, typer.Option(help="Numbers at this ε alone; as in suites.")] = None,
    attack: Annotated[str, typer.Option(help="Numbers under attacks that match this glob alone.")] = "*",
) -> None:
    """Print what two rows say differently and, if they are of one suite version, how their numbers differ.

    With the evidence of both at hand, also the paired bootstrap of their difference over the same images.
    """
    found = Board(board)
    first, second = found.find(one), found.find(two)
    threat = first.row.threat
    level = None if eps is None else eps_of(first.row, eps)
    compared = compare_rows(first, second).narrowed(level, attack)
    parts = [render_heading(first, second), render_fields(compared.fields)]
    if compared.paired:
        parts.append(render_paired(compared.paired, threat))
    if compared.numbers:
        parts.append(render_numbers(compared.numbers, threat))
    if compared.remark:
        parts.append(Text(compared.remark))
    console = board_console(WIDTH)
    for part in parts:
        console.print(part, Text(), sep="\n")

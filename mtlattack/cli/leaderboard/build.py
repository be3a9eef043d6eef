"""`mtlattack leaderboard build`: the board as pages."""

from pathlib import Path
from typing import Annotated

import typer

from mtlattack.cli.leaderboard.options import BOARD, BoardOption
from mtlattack.leaderboard.board import Board


def build(
    board: BoardOption = BOARD,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: pages/ in the board's.")] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Draw what zoo models see before and after the attack: seconds a row.")
    ] = False,
) -> None:
    """Write the board as static HTML, to be opened from disk or put on any server."""
    from mtlattack.leaderboard.pages.build import build_pages, no_picture
    from mtlattack.leaderboard.pages.panels import draw_row

    draw = draw_row if pictures else no_picture
    print(build_pages(Board(board), board / "pages" if out is None else out, draw))

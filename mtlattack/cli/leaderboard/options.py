"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

BoardOption = Annotated[Path, typer.Option("--board", help="Folder of the leaderboard.")]
BOARD = Path("leaderboard")


def board_console(width: int) -> Console:
    """Prints what is on the board, `width` columns wide where it is not a terminal: what submitters wrote is neither
    markup nor emoji."""
    return Console(width=None if Console().is_terminal else width, highlight=False, markup=False, emoji=False)

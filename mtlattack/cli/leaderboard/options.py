"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

BoardOption = Annotated[Path, typer.Option("--board", help="Folder of the leaderboard.")]
BOARD = Path("leaderboard")

"""`mtlattack leaderboard check`: whether a board, or a pull request against it, is well-formed and honest."""

from pathlib import Path
from typing import Annotated

import typer

from mtlattack.cli.leaderboard.options import BOARD
from mtlattack.leaderboard.checking import check_board


def check(
    folder: Annotated[Path, typer.Argument(help="Folder of the leaderboard.")] = BOARD,
    base: Annotated[Path | None, typer.Option(help="Folder of the leaderboard that a pull request changes.")] = None,
) -> None:
    """Check every row, its evidence and the ledger: what is refused (exit code 2), and what is flagged for a look.

    With --base also that nothing on that board was changed, and that new rows may enter. Nothing that was submitted is
    executed, and no number is believed: all are derived from the evidence, which is looked at image by image.
    """
    findings = check_board(folder, base)
    for finding in findings:
        typer.echo(str(finding))
    refused = sum(finding.severity == "refused" for finding in findings)
    verdict = f"{refused} refused" if refused else "nothing refused"
    typer.echo(f"{folder}: {verdict}, {len(findings) - refused} flagged")
    if refused:
        raise typer.Exit(2)

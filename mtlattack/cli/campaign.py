"""`mtlattack campaign`: many runs with one queue, resumable, over many processes or machines."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from mtlattack.campaigns import load_campaign, render_summary, run_campaign

# Of failed cells, so many are listed.
_LISTED = 20


def campaign(
    file: Annotated[Path, typer.Argument(help="TOML file: models, suites, seeds …")],
    on: Annotated[str, typer.Option(help="here: processes of this machine; ray: a Ray cluster.")] = "here",
    workers: Annotated[int | None, typer.Option(help="Cells at a time; default: as there are CPUs or GPUs.")] = None,
    address: Annotated[
        str | None, typer.Option(help="Of a running Ray cluster, or auto; default: one is started here.")
    ] = None,
    gpus_per_cell: Annotated[float | None, typer.Option(help="Share of a GPU, 0 to 1; default: as the file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the cells; default: campaigns/<file>.")] = None,
) -> None:
    """Run all cells of a campaign, each into the folder that `mtlattack run` would make. What was stopped goes on."""
    ended = run_campaign(
        load_campaign(file), out or Path("campaigns") / file.stem, on=on, workers=workers, address=address,
        gpus_per_cell=gpus_per_cell,
    )  # fmt: skip
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(render_summary(ended))
    if ended.failed:
        complain = Console(stderr=True, highlight=False)
        for result in ended.failed[:_LISTED]:
            complain.print(Text.assemble(("failed:", "red"), f" {result.name}: {result.error}"), soft_wrap=True)
        if len(ended.failed) > _LISTED:
            complain.print(f"… and {len(ended.failed) - _LISTED} more", soft_wrap=True)
        complain.print("the same command tries them again", soft_wrap=True)
        raise typer.Exit(1)

"""`mtlattack campaign`: many runs with one queue, resumable, over many processes or machines."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mtlattack.campaigns import load_campaign, render_summary, run_campaign
from mtlattack.printing import complain, print_parts

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
    print_parts(render_summary(ended))
    if ended.failed:
        for result in ended.failed[:_LISTED]:
            complain("failed:", f"{result.name}: {result.error}")
        if len(ended.failed) > _LISTED:
            print(f"… and {len(ended.failed) - _LISTED} more", file=sys.stderr)
        print("the same command tries them again", file=sys.stderr)
        raise typer.Exit(1)

"""`mtlattack campaign`: many runs with one queue, resumable, over many processes or machines."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mtlattack.campaigns import load_campaign, render_summary, run_campaign
from mtlattack.cli.choosing import Fresh, say_doubts
from mtlattack.evaluation import load_suite
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
    fresh: Fresh = False,
) -> None:
    """Run all cells of a campaign, each into the folder that `mtlattack run` would make. What was stopped goes on."""
    described = load_campaign(file)
    written = [value for entry in described.eps for value in (entry if isinstance(entry, list) else [entry])]
    for norm in {described.norm} if described.norm else {load_suite(name).norm for name in described.suites}:
        say_doubts(written, norm)
    ended = run_campaign(
        described, out or Path("campaigns") / file.stem, on=on, workers=workers, address=address,
        gpus_per_cell=gpus_per_cell, fresh=fresh,
    )  # fmt: skip
    print_parts(render_summary(ended))
    if ended.failed:
        for result in ended.failed[:_LISTED]:
            complain("failed:", f"{result.name}: {result.error}")
        if len(ended.failed) > _LISTED:
            print(f"… and {len(ended.failed) - _LISTED} more", file=sys.stderr)
        print("the same command tries them again", file=sys.stderr)
        raise typer.Exit(1)

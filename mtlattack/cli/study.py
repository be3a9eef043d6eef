"""`mtlattack study`: the papers' claims, each with a table, a picture and a verdict."""

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from mtlattack import studies
from mtlattack.cli.index import study_lines
from mtlattack.errors import InputError
from mtlattack.printing import output_width, print_parts


def study(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Default: list what there is.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small version, to see that it runs.")] = False,
    on: Annotated[str, typer.Option(help="here: processes of this machine; ray: a Ray cluster.")] = "here",
    workers: Annotated[int | None, typer.Option(help="Cells at a time; default: 1, on Ray as there are CPUs.")] = None,
    address: Annotated[
        str | None, typer.Option(help="Of a running Ray cluster, or auto; default: one is started here.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; default: studies/<name>, with -quick if it is.")] = None,
) -> None:
    """Test a paper's claims: a table, a picture and a verdict for each. Without a name, list the studies.

    A study that was stopped goes on where it was, cell by cell.
    """
    if not names:
        print("\n".join(_folded(study_lines(), output_width())))
        return
    if out is not None and len(names) > 1:
        raise InputError(f"--out {out} is one folder for {len(names)} studies; give one study")
    chosen = [studies.find_study(name) for name in names]
    for each in chosen:
        folder = out or Path("studies") / (f"{each.name}-quick" if quick else each.name)
        finished = studies.run_study(each, folder, quick=quick, on=on, workers=workers, address=address)
        print_parts(studies.render(each, finished.verdicts, finished.tables))
        print(f"{finished.out}/")


def _folded(lines: Iterable[str], width: int | None) -> Iterator[str]:
    """Lines at most `width` wide, what goes on further in than it began; as they are where nobody says how wide."""
    for line in lines:
        begins = " " * (len(line) - len(line.lstrip()))
        yield from (
            [line]
            if width is None
            else textwrap.wrap(line, width, subsequent_indent=begins + "    ", break_on_hyphens=False)
        )

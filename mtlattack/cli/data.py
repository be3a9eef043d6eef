"""`mtlattack data`: prepare, verify and preview data sets."""

from pathlib import Path
from typing import Annotated

import typer

from mtlattack.data import dataset_path, load_dataset, prepare, preview, verify
from mtlattack.errors import InputError

app = typer.Typer(help="Prepare, verify and preview data sets.", no_args_is_help=True)


@app.command("prepare")
def prepare_data(
    name: Annotated[str, typer.Argument(help="Data set, e.g. nyuv2.")],
    source: Annotated[Path, typer.Option("--from", help="Folder with the files as they are published.")],
    out: Annotated[Path | None, typer.Option(help="Prepared file to write; default: the cache.")] = None,
    height: Annotated[int | None, typer.Option(help="Of the prepared images; with --width.")] = None,
    width: Annotated[int | None, typer.Option(help="Of the prepared images; with --height.")] = None,
) -> None:
    """Turn a data set's published files into one prepared file."""
    if (height is None) != (width is None):
        raise InputError("--height and --width go together")
    size = None if height is None or width is None else (height, width)
    print(prepare(name, source, out, size=size))


@app.command("verify")
def verify_data(
    data: Annotated[str, typer.Argument(help="Data set by name, or a prepared .h5 file.")],
) -> None:
    """Read a prepared file from end to end; every problem is a line, and any makes the exit code 2."""
    verification = verify(dataset_path(data))
    for split in verification.splits:
        state = f"fingerprint {split.fingerprint}" if split.fingerprint else "damaged"
        print(f"{split.name}: {split.images} images with {', '.join(split.labels)}, {state}")
    for problem in verification.problems:
        print(problem)
    if not verification.ok:
        raise typer.Exit(2)


@app.command("preview")
def preview_data(
    data: Annotated[str, typer.Argument(help="Data set by name, or a prepared .h5 file.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")] = Path("preview.png"),
    split: Annotated[str, typer.Option(help="Split to draw from.")] = "test",
    count: Annotated[int, typer.Option(help="Images to draw.")] = 6,
) -> None:
    """Draw some images with all their labels."""
    print(preview(load_dataset(data, split), out, count))

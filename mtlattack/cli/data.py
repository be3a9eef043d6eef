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
    options: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the data set, KEY=VALUE, e.g. frame=x,z,-y.")
    ] = None,
) -> None:
    """Turn a data set's published files into one prepared file; broken off, the same command goes on where it was."""
    if (height is None) != (width is None):
        raise InputError("--height and --width go together")
    size = None if height is None or width is None else (height, width)
    print(prepare(name, source, out, size=size, **dict(_key_and_value(option) for option in options or ())))


@app.command("verify")
def verify_data(
    data: Annotated[str, typer.Argument(help="Data set by name, or a prepared .h5 file.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder with the files it was prepared from, to compare with.")
    ] = None,
) -> None:
    """Read a prepared file from end to end; every problem is a line, and any makes the exit code 2."""
    verification = verify(dataset_path(data), source)
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


def _key_and_value(option: str) -> tuple[str, str]:
    key, equals, value = option.partition("=")
    if not (key and equals):
        raise InputError(f"--option {option!r}, expected KEY=VALUE")
    return key, value

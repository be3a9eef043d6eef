"""`mtlattack data`: prepare, verify and preview data sets."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mtlattack.data import PreparedDataset, dataset_path, list_datasets, load_dataset, prepare, preview, verify
from mtlattack.data.account import describe_accounts, read_accounts
from mtlattack.data.verifying import SplitReport
from mtlattack.errors import InputError
from mtlattack.evaluation import list_suites, load_suite
from mtlattack.wording import counted

app = typer.Typer(help="Prepare, verify and preview data sets.", no_args_is_help=True, add_completion=False)


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
    path = prepare(name, source, out, size=size, **dict(_key_and_value(option) for option in options or ()))
    print("\n".join(describe_accounts(read_accounts(path))))
    print(path)


@app.command("verify")
def verify_data(
    data: Annotated[str, typer.Argument(help="Data set by name, or a prepared .h5 file.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder with the files it was prepared from, to compare with.")
    ] = None,
    digests: Annotated[
        bool, typer.Option("--digests", help="Print what a suite on some of these images pins; none if any is damaged.")
    ] = False,
    suite: Annotated[str | None, typer.Option(help="Suite that says which images; with --digests.")] = None,
    split: Annotated[str | None, typer.Option(help="Which images: their split (default: test).")] = None,
    every: Annotated[int | None, typer.Option(help="Which images: only every so many-th.")] = None,
    limit: Annotated[int | None, typer.Option(help="Which images: only the first so many, of these.")] = None,
) -> None:
    """Read a prepared file from end to end; every problem is a line, and any makes the exit code 2."""
    chosen = _which_images(data, digests, suite, {"split": split, "every": every, "limit": limit})
    verification = verify(dataset_path(data, chosen.get("split", "test")), source)
    if not digests or not verification.ok:
        print("\n".join([*map(_line, verification.splits), *map(str, verification.problems)]))
    if not verification.ok:
        raise typer.Exit(2)
    if digests:
        images = load_dataset(data, **chosen)
        print(_pinned(images, _order(images.name, suite)))


@app.command("preview")
def preview_data(
    data: Annotated[str, typer.Argument(help="Data set by name, or a prepared .h5 file.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")] = Path("preview.png"),
    split: Annotated[str, typer.Option(help="Split to draw from.")] = "test",
    count: Annotated[int, typer.Option(help="Images to draw.")] = 6,
) -> None:
    """Draw some images with all their labels."""
    print(preview(load_dataset(data, split), out, count))


def _which_images(data: str, digests: bool, suite: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """Split, every and limit as options or the suite say them; InputError for what does not go together."""
    chosen = {name: value for name, value in given.items() if value is not None}
    options = [f"--{name}" for name in chosen]
    if (options or suite) and not digests:
        raise InputError(f"{(options or ['--suite'])[0]} goes with --digests: without, all of a file is verified")
    if suite is None:
        return chosen
    if options:
        raise InputError(f"--suite and {options[0]} do not go together: the suite says which images")
    found = load_suite(suite)
    if data != found.data and {data, found.data} <= {*list_datasets()}:
        raise InputError(f"suite {found.name!r} is on {found.data}, not on {data}")
    return {"split": found.split, "every": found.every, "limit": found.limit}


def _line(split: SplitReport) -> str:
    state = f"fingerprint {split.fingerprint}" if split.fingerprint else "not in order"
    return f"{split.name}: {counted(split.images, 'image')} with {', '.join(split.labels)}, {state}"


def _order(data: str, suite: str | None) -> list[str]:
    """Names in the order in which the suite pins them, or, if it does not yet, the first one that ships on these data.

    The file itself knows no order: HDF5 gives its labels alphabetically.
    """
    suites = [load_suite(name) for name in ([suite] if suite else []) + list_suites()]
    pinned = [list(found.data_sha256) for found in suites if found.data == data and found.data_sha256]
    return pinned[0] if pinned else []


def _pinned(images: PreparedDataset, order: list[str]) -> str:
    """The table `data_sha256` of a suite on these images, in TOML; what `order` does not name comes last."""
    digests = images.digests()
    names = [*(name for name in order if name in digests), *(name for name in digests if name not in order)]
    return "\n".join(["[data_sha256]", *(f'{name} = "{digests[name]}"' for name in names)])


def _key_and_value(option: str) -> tuple[str, str]:
    key, equals, value = option.partition("=")
    if not (key and equals):
        raise InputError(f"--option {option!r}, expected KEY=VALUE")
    return key, value

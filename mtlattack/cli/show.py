"""`mtlattack show`: tables and pictures of runs, side by side."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mtlattack.analysis import Record
from mtlattack.analysis.comparison import join_parts, render_comparison
from mtlattack.analysis.tables import render, to_csv, to_markdown
from mtlattack.errors import InputError
from mtlattack.evaluation.kept import kept_record
from mtlattack.models import file_hash
from mtlattack.printing import print_parts


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"


def show(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, or their evidence files.")],
    plots: Annotated[Path | None, typer.Option(help="Folder for pictures.")] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.TABLE,
    panel: Annotated[Path | None, typer.Option(help="A PNG of one image under one attack, every task.")] = None,
    image: Annotated[str | None, typer.Option(help="Of the panel, by its id; default: the first.")] = None,
    attack: Annotated[str | None, typer.Option(help="Of the panel, by its name; default: the first.")] = None,
    model: Annotated[str | None, typer.Option(help="Of the run, where its name does not say where it is.")] = None,
    data: Annotated[str | None, typer.Option(help="Of the run, where their name does not say where they are.")] = None,
) -> None:
    """Print the results of finished runs, recomputed from their evidence.

    Runs that are parts of one experiment (same model, images and seed, other attacks) are shown as one; different ones
    are compared side by side. A panel makes the attack on an image of one run again, and draws it.
    """
    if panel is None and (image, attack, model, data) != (None, None, None, None):
        raise InputError("--image, --attack, --model and --data go with --panel")
    if panel is not None and len(runs) > 1:
        raise InputError(f"--panel {panel} is of one run, {len(runs)} are given")
    stored = {_folder(run): load_record(run) for run in runs}
    drawn = None if panel is None else _panel(runs[0], panel, image, attack, model, data)
    joined = join_parts(stored)
    records = list(joined.values())
    if format is Format.TABLE:
        print_parts(*map(render, records), *([render_comparison(records)] if len(records) > 1 else []))
    elif format is Format.JSON:
        texts = [record.model_dump_json(indent=1) for record in stored.values()]
        print(texts[0] if len(texts) == 1 else "[" + ",\n".join(texts) + "]")
    elif format is Format.MARKDOWN:
        print("\n".join(to_markdown(record) for record in records))
    else:
        print(_join_csv([to_csv(record) for record in records]), end="")
    if plots is not None:
        from mtlattack.analysis.plots import plot_damage, plot_record  # With matplotlib, which tables do without.

        for folder, record in joined.items():
            # Not standard output, which may be JSON or CSV.
            print(plot_record(record, plots / f"{folder.name}.png"), file=sys.stderr)
            print(plot_damage(record, plots / f"{folder.name}-damage.png"), file=sys.stderr)
    if drawn is not None:
        print(drawn, file=sys.stderr)


def _panel(
    folder: Path, panel: Path, image: str | None, attack: str | None, model: str | None, data: str | None
) -> Path:
    # With torch, which numbers do without.
    from mtlattack.analysis import read_run
    from mtlattack.data import load_dataset
    from mtlattack.evaluation.closeup import closeup_of
    from mtlattack.evaluation.keeping import origin_of
    from mtlattack.models import resolve_model, resolve_named

    run = read_run(_evidence(folder))
    said = origin_of(run.plan, _evidence(folder))
    network, _ = resolve_model(model) if model else resolve_named(said.model.name, _evidence(folder))
    images = load_dataset(data or said.data.name, said.data.split, tasks=network.tasks)  # type: ignore[arg-type]
    return closeup_of(run, network, images, panel, image, attack)  # type: ignore[arg-type]


def load_record(run: Path) -> Record:
    """The record of a run, computed from its evidence, or kept since that was done with this very code."""
    path = _evidence(run)
    content = file_hash(path)

    def derive() -> Record:
        from mtlattack.analysis import read_run  # With NumPy and HDF5, which what is kept does without.

        record: Record = read_run(path).report().record
        if file_hash(path) != content:
            raise InputError(f"{path} changed while it was read: is it being written?")
        return record

    return kept_record(content, derive)


def _evidence(run: Path) -> Path:
    path = run / "evidence.h5" if run.is_dir() else run
    if not path.is_file():
        raise InputError(f"no run at {run}: expected a folder with evidence.h5, or such a file")
    return path


def _folder(run: Path) -> Path:
    """A run goes by its folder."""
    return (run if run.is_dir() else run.parent).resolve()


def _join_csv(tables: list[str]) -> str:
    """One heading above all lines."""
    return tables[0] + "".join(table.split("\n", 1)[1] for table in tables[1:])

"""`mtlattack show`: tables and pictures of runs, side by side."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mtlattack.analysis import Record, read_run
from mtlattack.analysis.comparison import join_parts, render_comparison
from mtlattack.analysis.tables import render, to_csv, to_markdown
from mtlattack.errors import InputError
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
) -> None:
    """Print the results of finished runs, recomputed from their evidence.

    Runs that are parts of one experiment (same model, images and seed, other attacks) are shown as one; different ones
    are compared side by side.
    """
    stored = {_folder(run): load_record(run) for run in runs}
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
        from mtlattack.analysis.plots import plot_record  # With matplotlib, which tables do without.

        for folder, record in joined.items():
            # Not standard output, which may be JSON or CSV.
            print(plot_record(record, plots / f"{folder.name}.png"), file=sys.stderr)


def load_record(run: Path) -> Record:
    """The record of a run, computed from its evidence."""
    path = run / "evidence.h5" if run.is_dir() else run
    if not path.is_file():
        raise InputError(f"no run at {run}: expected a folder with evidence.h5, or such a file")
    record: Record = read_run(path).report().record
    return record


def _folder(run: Path) -> Path:
    """A run goes by its folder."""
    return (run if run.is_dir() else run.parent).resolve()


def _join_csv(tables: list[str]) -> str:
    """One heading above all lines."""
    return tables[0] + "".join(table.split("\n", 1)[1] for table in tables[1:])

"""`mtlattack show`: tables and pictures of runs, side by side."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mtlattack.analysis import Record
from mtlattack.analysis.comparison import join_parts, render_comparison
from mtlattack.analysis.tables import render, to_csv, to_markdown
from mtlattack.errors import InputError
from mtlattack.evaluation.kept import kept_record
from mtlattack.evidence.places import EVIDENCE
from mtlattack.models import file_hash
from mtlattack.printing import complain, print_parts

_CAMPAIGN = "campaign.json"


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"


def show(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs or of campaigns, or evidence files.")],
    plots: Annotated[Path | None, typer.Option(help="Folder for pictures.")] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.TABLE,
    panel: Annotated[Path | None, typer.Option(help="A PNG of one image under one attack, every task.")] = None,
    image: Annotated[str | None, typer.Option(help="Of the panel, by its id; default: the first.")] = None,
    attack: Annotated[str | None, typer.Option(help="Of the panel, by its name; default: the first.")] = None,
    model: Annotated[str | None, typer.Option(help="Of the run, where its name does not say where it is.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Weights of the run, for module:factory.")] = None,
    data: Annotated[str | None, typer.Option(help="Of the run, where their name does not say where they are.")] = None,
) -> None:
    """Print the results of finished runs, recomputed from their evidence.

    Runs that are parts of one experiment (same model, images and seed, other attacks) are shown as one; different ones
    are compared side by side. Of several, what is no run or not finished is left out and named. A panel makes the
    attack on an image of one run again, and draws it.
    """
    if panel is None and (image, attack, model, checkpoint, data) != (None,) * 5:
        raise InputError("--image, --attack, --model, --checkpoint and --data go with --panel")
    runs = [run for given in runs for run in _cells(given)]
    if panel is not None and len(runs) > 1:
        raise InputError(f"--panel {panel} is of one run, {len(runs)} are given")
    if panel is not None and panel.suffix.lower() != ".png":
        raise InputError(f"--panel {panel} is a PNG, expected a name that ends in .png")
    stored = _load_all(runs)
    drawn = None if panel is None else _panel(runs[0], panel, image, attack, model, checkpoint, data)
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


def _cells(given: Path) -> list[Path]:
    """The runs in a campaign's folder; anything else as it is given."""
    cells = sorted(given.glob(f"*/{EVIDENCE}")) if (given / _CAMPAIGN).is_file() else []
    return [cell.parent for cell in cells] or [given]


def _load_all(runs: Sequence[Path]) -> dict[Path, Record]:
    """Records by folder. Of several runs those that cannot be shown are named on standard error; InputError where none
    can."""
    stored, complaints = {}, []
    for run in runs:
        try:
            stored[_folder(run)] = load_record(run)
        except InputError as error:
            complaints.append(str(error))
    if not stored:
        raise InputError(complaints[0])
    for complaint in complaints:
        complain("left out:", complaint)
    return stored


def _panel(
    folder: Path,
    panel: Path,
    image: str | None,
    attack: str | None,
    model: str | None,
    checkpoint: Path | None,
    data: str | None,
) -> Path:
    # With torch, which numbers do without.
    from mtlattack.analysis import read_run
    from mtlattack.cli.origin import images_of, model_of
    from mtlattack.evaluation.closeup import closeup_of
    from mtlattack.evaluation.keeping import origin_of

    place = _evidence(folder)
    run = read_run(place)
    said = origin_of(run.plan, place)
    network, _ = model_of(said, place, model, checkpoint)
    images = images_of(said, place, network.tasks, data)  # type: ignore[arg-type]
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
    path = run / EVIDENCE if run.is_dir() else run
    if not path.is_file() or path.suffix == ".json":
        raise InputError(f"no run at {run}: expected a folder with {EVIDENCE}, or such a file")
    return path


def _folder(run: Path) -> Path:
    """A run goes by its folder."""
    return (run if run.is_dir() else run.parent).resolve()


def _join_csv(tables: list[str]) -> str:
    """One heading above all lines."""
    return tables[0] + "".join(table.split("\n", 1)[1] for table in tables[1:])

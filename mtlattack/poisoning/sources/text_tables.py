"""Tables of text with a heading: Parkinsons, and any that a TOML file describes."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from mtlattack.errors import InputError
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.sources.registry import READERS
from mtlattack.poisoning.tasks import Kind, TaskSet, make_tasks
from mtlattack.schemas import load_named
from mtlattack.wording import counted

_PARKINSONS = "parkinsons_updrs.data"
_OF_A_PERSON = ("subject#", "age", "sex", "motor_UPDRS", "total_UPDRS")


class Description(BaseModel):
    """`[table]` of one's own: which columns are what. Tasks are the values of `task`, or `targets`, or one of both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(description="CSV or tab-separated, with a heading; beside the description")
    kind: Literal["regression", "classification"] = Field(description="classes are 0 and 1")
    targets: list[str] = Field(min_length=1, description="columns with labels")
    task: str | None = Field(None, description="column that says whose point it is")
    features: list[str] | None = Field(None, description="columns; default: all that are nothing else")


@READERS.register("parkinsons")
def read_parkinsons(folder: Path, target: str = "motor_UPDRS") -> TaskSet:
    """42 people, severity from 16 measures of the voice and the time (Tsanas, Little, McSharry, Ramig 2010).

    `parkinsons_updrs.data`. Age and sex are left out, the same for all of a person's points. `target` is `motor_UPDRS`
    or `total_UPDRS`.
    """
    if target not in _OF_A_PERSON[3:]:
        raise InputError(f"target {target!r}, expected {' or '.join(_OF_A_PERSON[3:])}")
    heading, rows = read_rows(folder / _PARKINSONS)
    features = [name for name in heading if name not in _OF_A_PERSON]
    return _assemble(folder / _PARKINSONS, heading, rows, Kind.REGRESSION, [target], "subject#", features)


def read_described(path: Path) -> TaskSet:
    """The tasks of the table that a TOML file describes; InputError says what is wrong with either."""
    description = load_named(Description, "table", str(path), path.parent)
    table = path.parent / description.file
    heading, rows = read_rows(table)
    used = {*description.targets, description.task}
    features = description.features or [name for name in heading if name not in used]
    return _assemble(table, heading, rows, Kind(description.kind), description.targets, description.task, features)


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Heading and rows of a table, separated by tabs if the heading has any, else by commas."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # Spreadsheets write a mark before the heading.
    except (OSError, ValueError) as error:  # also what is no UTF-8, and no name of a file
        raise InputError(f"cannot read {path} ({error})") from None
    lines = text.splitlines()
    if not lines:
        raise InputError(f"{path} is empty, expected a heading and rows")
    try:
        heading, *rows = csv.reader(lines, delimiter="\t" if "\t" in lines[0] else ",")
    except csv.Error as error:
        raise InputError(f"cannot read {path} ({error})") from None
    twice = sorted(name for name, times in Counter(heading).items() if times > 1)
    if twice:
        raise InputError(f"{path}: its heading names {twice[0]!r} twice")
    for number, row in enumerate(rows, 2):
        if len(row) != len(heading):
            raise InputError(f"{path}, line {number}: {counted(len(row), 'value')}, expected {len(heading)}")
    return heading, rows


def _assemble(
    path: Path, heading: Sequence[str], rows: Sequence[Sequence[str]], kind: Kind, targets: Sequence[str],
    task: str | None, features: Sequence[str],
) -> TaskSet:  # fmt: skip
    columns = dict(zip(heading, zip(*rows, strict=True), strict=True)) if rows else {}
    for name in (*targets, *features, *([task] if task else [])):
        if name not in columns:
            raise InputError(
                f"{path} has no column {name!r}; it has {', '.join(heading)}" if rows else f"{path}: no row"
            )
    if not features:
        raise InputError(f"{path} has no column for features: all of {', '.join(heading)} are targets or the task")
    x = np.column_stack([_numbers(path, name, columns[name]) for name in features])
    owners = np.array(columns[task]) if task else np.full(len(rows), "")
    names, points, numbers = [], [], []
    for target in targets:
        y = _numbers(path, target, columns[target])
        for owner in dict.fromkeys(owners.tolist()):
            mine = owners == owner
            points.append((x[mine], y[mine]))
            numbers.append(np.flatnonzero(mine))
            names.append(":".join(part for part in (target if len(targets) > 1 or not task else "", owner) if part))
    return make_tasks(kind, points, names, numbers if len(targets) > 1 else None)


def _numbers(path: Path, name: str, values: Sequence[str]) -> Array:
    try:
        return np.array(values, np.float64)
    except ValueError as error:
        raise InputError(f"{path}, column {name!r}: {error}") from None

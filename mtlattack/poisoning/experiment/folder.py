"""An experiment's folder: its plan, a file a finished cell; whatever is killed goes on where it was."""

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mtlattack.errors import InputError
from mtlattack.files import (
    check_same_plan,
    file_name,
    read_json,
    read_sealed,
    set_aside,
    whole_file,
    write_json,
    write_sealed,
    write_whole,
)
from mtlattack.locking import held
from mtlattack.models import file_hash
from mtlattack.poisoning.experiment.plan import Cell, Plan, plan_document
from mtlattack.poisoning.experiment.trial import Outcome
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.tasks import Points, TaskSet
from mtlattack.wording import counted

PLAN, CELLS, POINTS = "plan.json", "cells", "points"
_CORRELATIONS = "correlations_sha256"


@contextmanager
def opened(folder: Path, plan: Plan, fresh: bool = False) -> Iterator["Folder"]:
    """The folder, this process's alone inside; InputError if it holds another experiment and is not to be `fresh`,
    which sets aside what is there."""
    with held(folder):
        place = folder / PLAN
        if fresh:
            set_aside(folder)
        elif place.is_file():
            stored = read_json(place, "; start anew with --fresh")
            check_same_plan(folder, "experiment", stored, plan_document(plan))
        try:
            write_json(place, plan_document(plan))
            (folder / CELLS).mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write to {folder} ({error})") from None
        yield Folder(folder)


class Folder:
    """What lies in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def numbers(self, cell: Cell) -> dict[str, Any] | None:
        """Of a finished cell; None for one that is not, or whose files are no longer what was kept."""
        place = self._place(cell)
        stored = read_sealed(place.with_suffix(".json"))
        if stored is None or _digest(place.with_suffix(".npz")) != stored[_CORRELATIONS]:
            return None
        numbers: dict[str, Any] = stored["numbers"]
        return numbers

    def correlations(self, cell: Cell) -> Array:
        """`[T, T]` of a finished cell."""
        with np.load(self._place(cell).with_suffix(".npz")) as stored:
            return stored["correlations"]

    def keep(self, cell: Cell, outcome: Outcome) -> None:
        """The numbers last: they say that the cell is finished, and with which correlations."""
        place = self._place(cell)
        matrix = place.with_suffix(".npz")
        with whole_file(matrix) as partial, partial.open("wb") as file:
            np.savez_compressed(file, correlations=outcome.correlations)
        write_sealed(place.with_suffix(".json"), {"numbers": outcome.numbers, _CORRELATIONS: _digest(matrix)})

    def keep_points(self, cell: Cell, tasks: TaskSet, points: Mapping[int, Points]) -> None:
        """The injected points as a table, in the data's own units: task, label, features."""
        place = self.path / POINTS / f"{file_name(cell.key)}.csv"
        place.parent.mkdir(exist_ok=True)
        write_whole(place, points_table(tasks, points))

    def _place(self, cell: Cell) -> Path:
        # Keys hold dots, which `with_suffix` would take for the beginning of one.
        return self.path / CELLS / file_name(cell.key).replace(".", "_")


def _digest(path: Path) -> str | None:
    """SHA-256 of a file; None where it cannot be read."""
    try:
        return file_hash(path)
    except OSError:
        return None


def points_table(tasks: TaskSet, points: Mapping[int, Points]) -> str:
    """CSV with a heading: task, label, x1, …; numbers in full."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["task", "label", *(f"x{i}" for i in range(1, tasks.dimension + 1))])
    for task, (x, y) in points.items():
        for row, label in zip(x, y, strict=True):
            writer.writerow([tasks.names[task], repr(float(label)), *(repr(float(value)) for value in row)])
    return out.getvalue()


def read_points(path: Path, tasks: TaskSet) -> dict[int, Points]:
    """Points of such a table, by task; InputError says what is wrong with it."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path} ({error})") from None
    width = tasks.dimension + 2
    if not rows or rows[0][:2] != ["task", "label"] or any(len(row) != width for row in rows):
        raise InputError(
            f"{path}, expected lines of task, label and {counted(tasks.dimension, 'feature')} below a heading"
        )
    gathered: dict[int, list[list[float]]] = {}
    for number, (name, *values) in enumerate(rows[1:], 2):
        if name not in tasks.names:
            raise InputError(f"{path}, line {number}: {name!r} is no task")
        try:
            parsed = [float(value) for value in values]
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
        if not np.isfinite(parsed).all():
            raise InputError(f"{path}, line {number}: a number is not finite")
        gathered.setdefault(tasks.names.index(name), []).append(parsed)
    if not gathered:
        raise InputError(f"{path} holds no point")
    arrays = {task: np.array(values) for task, values in gathered.items()}
    return {task: (values[:, 1:], values[:, 0]) for task, values in arrays.items()}

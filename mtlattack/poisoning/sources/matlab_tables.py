"""Landmine, School and SARCOS: MATLAB files."""

from pathlib import Path
from typing import Any

import numpy as np

from mtlattack.errors import InputError
from mtlattack.poisoning.sources.registry import READERS
from mtlattack.poisoning.tasks import Kind, TaskSet, make_tasks
from mtlattack.reading.matlab import read_mat

_INPUTS, _TORQUES = 21, 7


@READERS.register("landmine")
def read_landmine(folder: Path) -> TaskSet:
    """29 fields, mine or clutter from 9 radar features (Xue, Liao, Carin, Krishnapuram, JMLR 2007).

    `LandmineData.mat`: cells `feature` `[n_i, 9]` and `label` `[n_i, 1]`, 0 or 1.
    """
    return _of_cells(folder / "LandmineData.mat", "feature", "label", Kind.CLASSIFICATION, "field")


@READERS.register("school")
def read_school(folder: Path) -> TaskSet:
    """139 schools, a pupil's exam score from 27 features (Inner London Education Authority, as in MALSAR).

    `school.mat`: cells `X` `[n_i, 28]`, the last column 1, which is left out, and `Y` `[n_i, 1]`.
    """
    tasks = _of_cells(folder / "school.mat", "X", "Y", Kind.REGRESSION, "school")
    return make_tasks(tasks.kind, [(x[:, :-1], y) for x, y in tasks.points], tasks.names)


@READERS.register("sarcos")
def read_sarcos(folder: Path) -> TaskSet:
    """A robot arm: each of 7 torques from 21 positions, speeds and accelerations (Vijayakumar, D'Souza, Schaal 2005).

    `sarcos_inv.mat` (44,484 rows, the training file), or else `sarcos_inv_test.mat` (4,449): one matrix of its name.
    """
    found = [stem for stem in ("sarcos_inv", "sarcos_inv_test") if (folder / f"{stem}.mat").is_file()]
    if not found:
        raise InputError(f"{folder} has neither sarcos_inv.mat nor sarcos_inv_test.mat")
    path = folder / f"{found[0]}.mat"
    rows = read_mat(path, found[0])[found[0]]
    if rows.ndim != 2 or rows.shape[1] != _INPUTS + _TORQUES:
        raise InputError(f"{path}: {found[0]} is {rows.shape}, expected [n, {_INPUTS + _TORQUES}]")
    names = [f"torque{i}" for i in range(1, _TORQUES + 1)]
    points = [(rows[:, :_INPUTS], torque) for torque in rows[:, _INPUTS:].T]
    return make_tasks(Kind.REGRESSION, points, names, [np.arange(len(rows))] * _TORQUES)


def _of_cells(path: Path, features: str, labels: str, kind: Kind, name: str) -> TaskSet:
    """A task a cell, called `<name><number>`."""
    if not path.is_file():
        raise InputError(f"{path.parent} has no {path.name}")
    found = read_mat(path, features, labels)
    cells: list[list[Any]] = [list(np.ravel(found[key])) for key in (features, labels)]
    if len(cells[0]) != len(cells[1]) or any(not isinstance(cell, np.ndarray) for both in cells for cell in both):
        raise InputError(f"{path}: {features} and {labels} are no cells of one length")
    points = [(x, np.ravel(y)) for x, y in zip(*cells, strict=True)]
    return make_tasks(kind, points, [f"{name}{i}" for i in range(1, len(points) + 1)])

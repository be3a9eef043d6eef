"""Excesses of the linear study as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtlattack.studies.representation.sweeps import ARMS
from mtlattack.studies.study import Measured

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sweep:
    """One axis of one arm: its values in order, and by learner the excess risk `[S, X]`."""

    arm: str
    axis: str
    values: list[float]
    excess: dict[str, Array]


def sweeps(measured: Sequence[Measured], axis: str) -> list[Sweep]:
    """The sweep over `axis` of every arm that has one."""
    found = []
    for arm in ARMS:
        cells = [cell for cell in measured if cell.settings["arm"] == arm and cell.settings["axis"] == axis]
        if cells:
            key = {"eps": "factor", "m": "values"}.get(axis, axis)
            cells.sort(key=lambda cell: cell.settings["values"][0])
            values = [
                v for cell in cells for v in (cell.settings["values"] if key == "values" else [cell.settings[key]])
            ]
            excess = {
                name: np.concatenate([np.asarray(cell.numbers["excess"][name]) for cell in cells]).T
                for name, rows in cells[0].numbers["excess"].items()
                if rows
            }
            found.append(Sweep(arm, axis, values, excess))
    return found


def numbers_of(measured: Sequence[Measured], arm: str, axis: str, key: str) -> list[Array]:
    """What the cells of a sweep say under `key`, in the order of its values; nothing for those that do not."""
    cells = [cell for cell in measured if cell.settings["arm"] == arm and cell.settings["axis"] == axis]
    cells.sort(key=lambda cell: cell.settings["values"][0])
    return [np.asarray(cell.numbers[key], np.float64) for cell in cells if key in cell.numbers]


def seeds_converged(measured: Sequence[Measured], arm: str, axis: str, stage: str) -> list[list[bool]]:
    """By cell of a sweep, which seeds' stage 1 (`robust` or `clean`) ended by itself; nothing for a cell that says
    nothing."""
    cells = [cell for cell in measured if cell.settings["arm"] == arm and cell.settings["axis"] == axis]
    return [cell.numbers["converged"][stage] for cell in cells if "converged" in cell.numbers]

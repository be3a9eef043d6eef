"""Excesses of the linear study as arrays, and one verdict of several arms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtlattack.studies.representation.sweeps import ARMS
from mtlattack.studies.study import Measured, Outcome

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


def together(outcomes: Mapping[str, Outcome]) -> Outcome:
    """Holds if all hold, fails if any fails."""
    if not outcomes:
        return "undecided"
    if "fails" in outcomes.values():
        return "fails"
    return "holds" if set(outcomes.values()) == {"holds"} else "undecided"


def listed(outcomes: Mapping[str, Outcome]) -> str:
    """`holds in a, b; fails in c`."""
    parts = []
    for outcome in ("holds", "fails", "undecided"):
        names = [name for name, found in outcomes.items() if found == outcome]
        if names:
            parts.append(f"{outcome}{' in' if outcome != 'undecided' else ':'} {', '.join(names)}")
    return "; ".join(parts)

"""A study's folder: its rules and cells before the first is measured, and the result of each cell."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtlattack.errors import InputError
from mtlattack.files import read_json, read_sealed, write_json, write_sealed
from mtlattack.studies.study import Cell, Measured, Study

PLAN = "plan.json"
CELLS = "cells"
_RESULT = "result.json"


def keep_rules(out: Path, study: Study) -> None:
    """Write down the claims and their rules, if nothing is there yet.

    InputError if the folder holds another study, or rules that were other ones when it began: what has been measured
    may not choose by which rule it is judged.
    """
    plan = {
        "format": "mtlattack-study",
        "format_version": 1,
        "study": study.name,
        "version": study.version,
        "rules": {claim.name: claim.rule for claim in study.claims},
    }
    path = out / PLAN
    if path.exists():
        stored = read_json(path)
        if not isinstance(stored, dict):
            raise InputError(f"{path} is damaged (no table)")
        differing = [key for key, value in plan.items() if stored.get(key) != value]
        if differing:
            raise InputError(f"{path} is of another study (other {', '.join(differing)}); choose another --out")
        return
    try:
        write_json(path, plan)
    except OSError as error:
        raise InputError(f"cannot write {path} ({error})") from None


def cells_folder(out: Path) -> Path:
    """Where cells have their folders."""
    return out / CELLS


def keep_result(folder: Path, cell: Cell, seconds: float, numbers: dict[str, Any]) -> None:
    """Write a cell's numbers, whole or not at all."""
    write_sealed(folder / _RESULT, {"settings": cell.settings, "seconds": round(seconds, 3), "numbers": numbers})


def read_result(out: Path, cell: Cell) -> tuple[Measured, float] | None:
    """A cell that was measured with these settings, and its seconds; None if it was not, or its file is damaged."""
    stored = read_sealed(cells_folder(out) / cell.name / _RESULT)
    if stored is None or stored["settings"] != json.loads(json.dumps(cell.settings)):
        return None
    return Measured(cell.name, stored["settings"], stored["numbers"]), stored["seconds"]


def check_names(cells: Sequence[Cell]) -> None:
    """ValueError if two cells have one name: they would share a folder."""
    names = [cell.name for cell in cells]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two cells of study {cells[0].study} are called {twice[0]!r}")

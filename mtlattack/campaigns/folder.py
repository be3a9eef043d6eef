"""A campaign's folder: its plan, and which of its cells are done."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtlattack.analysis.record import read_record
from mtlattack.campaigns.cells import Cell
from mtlattack.errors import InputError
from mtlattack.evaluation import load_suite
from mtlattack.evidence import EvidenceFile
from mtlattack.evidence.places import EVIDENCE, RECORD
from mtlattack.files import read_json, write_json

FORMAT = "mtlattack-campaign"
FORMAT_VERSION = 1
PLAN = "campaign.json"


def make_plan(cells: Sequence[Cell], threads: int) -> dict[str, Any]:
    """Everything that determines the cells' numbers, but for models and data, which each cell's own plan knows."""
    suites = {suite: _digest(suite) for suite in dict.fromkeys(cell.suite for cell in cells)}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "threads": threads,
        "suites": suites,
        "cells": [cell.plan() for cell in cells],
    }


def check_plan(out: Path, plan: dict[str, Any]) -> None:
    """InputError if `out` holds another campaign than that of `plan`; nothing if it holds none yet."""
    path = out / PLAN
    if not path.exists():
        return
    stored = read_json(path)
    differing = [key for key, value in plan.items() if not isinstance(stored, dict) or stored.get(key) != value]
    if differing:
        raise InputError(f"{path} is of another campaign (other {', '.join(differing)}); choose another --out")


def keep_plan(out: Path, plan: dict[str, Any]) -> None:
    """Write the plan into the campaign's folder; InputError where that cannot be."""
    try:
        write_json(out / PLAN, plan)
    except OSError as error:
        raise InputError(f"cannot write {out / PLAN} ({error})") from None


def is_done(folder: Path) -> bool:
    """Whether a cell's evidence is complete and its record written, and both can be read."""
    if not (folder / RECORD).is_file():
        return False
    try:
        read_record(folder / RECORD)
        return all(done.all() for done in EvidenceFile(folder / EVIDENCE).done().values())
    except InputError:
        return False


def _digest(suite: str) -> str | None:
    """Identity of a suite; None for one that is not there, of which the check of all cells will tell."""
    try:
        return load_suite(suite).sha256
    except InputError:
        return None

"""A study from its first cell to its verdicts."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mtlattack.campaigns.campaign import ENGINES
from mtlattack.campaigns.engine import Circumstances, Engine
from mtlattack.campaigns.here import Here
from mtlattack.campaigns.queue import longest_first, work_off
from mtlattack.campaigns.watching import watching
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation.environment import circumstances as when_and_where
from mtlattack.evaluation.environment import numeric_environment
from mtlattack.files import write_json, write_whole
from mtlattack.locking import held
from mtlattack.studies.folder import cells_folder, check_names, keep_rules, read_result
from mtlattack.studies.reporting import markdown
from mtlattack.studies.study import Cell, Measured, Study, Table, Verdict
from mtlattack.studies.working import Alone, StudyWorker
from mtlattack.wording import counted

RECORD = "study.json"
TABLES = "study.md"
# How often a cell starts again after its worker was lost.
_RETRIES = 2


@dataclass(frozen=True)
class Finished:
    """A study whose cells are all measured."""

    study: Study
    out: Path
    verdicts: dict[str, Verdict]
    tables: list[Table]
    pictures: list[Path]
    record: dict[str, Any]


def run_study(
    study: Study,
    out: Path,
    *,
    quick: bool = False,
    on: str = "here",
    workers: int | None = None,
    address: str | None = None,
) -> Finished:
    """Measure all cells that are not measured yet, and judge the claims.

    `here` measures in so many processes of this machine (1, the default: in this one); `ray` on the cluster at
    `address`, or on one that is started here, by default with as many workers as there is room for.
    Every cell is kept when it is done: a study that was stopped goes on with the same call. What comes of it lies in
    `out`: `plan.json` with the rules, `study.json`, `study.md` and pictures. InputError for cells that failed, naming
    the first, for rules that are not those the folder began with, and while somebody else is at it.
    """
    if on not in ENGINES:
        raise UnknownNameError("engine", on, ENGINES)
    if workers is not None and workers < 1:
        raise InputError(f"{counted(workers, 'worker')}, expected at least 1")
    if address is not None and on != "ray":
        raise InputError(f"address {address!r} goes with --on ray")
    cells = study.cells(quick)
    check_names(cells)
    with held(out):
        keep_rules(out, study)
        left = [cell for cell in cells if read_result(out, cell) is None]
        if left:
            _measure(left, len(cells), out, on, workers, address)
        return _conclude(study, cells, out, quick)


def _measure(left: list[Cell], cells: int, out: Path, on: str, workers: int | None, address: str | None) -> None:
    work = {cell.name: cell.work for cell in left}
    where = Circumstances(str(cells_folder(out).resolve()), os.getcwd(), 1, list(sys.argv))
    engine = _engine(on, workers, address, where, len(left))
    try:
        with watching(cells, work) as watcher:
            results = work_off(engine, longest_first(left, work), _RETRIES, watcher)
    finally:
        engine.close()
    failed = [result for result in results if result.error]
    if failed:
        more = f" (and {counted(len(failed) - 1, 'cell')} more)" if len(failed) > 1 else ""
        raise InputError(f"cell {failed[0].name} failed: {failed[0].error}{more}; the same command tries again")


def _engine(
    on: str, workers: int | None, address: str | None, where: Circumstances, cells: int
) -> Engine[Cell]:  # fmt: skip
    if on == "ray":
        from mtlattack.campaigns.on_ray import OnRay

        return OnRay(workers, where, 0, address, cells, kind=StudyWorker)
    if workers is None or workers == 1:
        return Alone(where)
    return Here(min(workers, cells), where, kind=StudyWorker)


def _conclude(study: Study, cells: list[Cell], out: Path, quick: bool) -> Finished:
    found = [read_result(out, cell) for cell in cells]
    measured: list[Measured] = [entry[0] for entry in found if entry is not None]
    seconds = sum(entry[1] for entry in found if entry is not None)
    verdicts = {claim.name: claim.judge(measured) for claim in study.claims}
    tables = study.tables(measured)
    pictures = study.plot(measured, out)
    record = {
        "format": "mtlattack-study",
        "format_version": 1,
        "study": study.name,
        "version": study.version,
        "paper": study.paper,
        "quick": quick,
        "seconds_of_cells": round(seconds, 1),
        "environment": numeric_environment(torch.device("cpu")) | when_and_where(),
        "claims": [
            {
                "name": claim.name,
                "sentence": claim.sentence,
                "rule": claim.rule,
                "verdict": verdicts[claim.name].outcome,
                "because": verdicts[claim.name].because,
                "numbers": verdicts[claim.name].numbers,
            }
            for claim in study.claims
        ],
        "cells": {cell.name: {"settings": cell.settings, "numbers": cell.numbers} for cell in measured},
    }
    try:
        write_json(out / RECORD, record)
        write_whole(out / TABLES, markdown(study, verdicts, tables, pictures))
    except OSError as error:
        raise InputError(f"cannot write into {out} ({error})") from None
    return Finished(study, out, verdicts, tables, pictures, record)

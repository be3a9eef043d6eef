"""A campaign from its description to its last cell."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from mtlattack.campaigns.cells import Cell, expand
from mtlattack.campaigns.checking import measure_work
from mtlattack.campaigns.description import Campaign
from mtlattack.campaigns.engine import Circumstances, Engine, Result
from mtlattack.campaigns.folder import check_plan, is_done, keep_plan, make_plan
from mtlattack.campaigns.queue import longest_first, work_off
from mtlattack.campaigns.watching import watching
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.files import set_aside
from mtlattack.locking import held
from mtlattack.wording import counted

EngineName = Literal["here", "ray"]
ENGINES: tuple[str, ...] = get_args(EngineName)


@dataclass(frozen=True)
class Ended:
    """A campaign of which no cell is left to run: all its `cells`, and what became of those that this call ran."""

    out: Path
    cells: list[Cell]
    results: list[Result]

    @property
    def failed(self) -> list[Result]:
        """Those that failed."""
        return [result for result in self.results if result.error]


def run_campaign(
    campaign: Campaign,
    out: Path,
    *,
    on: str = "here",
    workers: int | None = None,
    address: str | None = None,
    gpus_per_cell: float | None = None,
    fresh: bool = False,
) -> Ended:
    """Run all cells that are not done yet, each into a folder of `out`; go on with those that were begun.

    `here` runs them in so many processes of this machine (by default as many as it has CPUs or GPUs for); `ray` on
    the cluster at `address`, or on one that is started here. What is in `out` is set aside if it is to be `fresh`. A
    cell that fails does not stop the others. InputError, before anything is run, for what is not there or does not
    fit, listing all of it; for another campaign in `out`, and while somebody else is at it.
    """
    if on not in ENGINES:
        raise UnknownNameError("engine", on, ENGINES)
    if workers is not None and workers < 1:
        raise InputError(f"{counted(workers, 'worker')}, expected at least 1")
    if address is not None and on != "ray":
        raise InputError(f"address {address!r} goes with --on ray")
    cells = expand(campaign)
    share = campaign.gpus_per_cell if gpus_per_cell is None else gpus_per_cell
    if share is not None and not 0 <= share <= 1:
        raise InputError(f"{share:g} GPUs a cell, expected 0 to 1: a run is on one GPU")
    plan = make_plan(cells, campaign.threads)
    with held(out):
        if not fresh:
            check_plan(out, plan)
        left = [cell for cell in cells if fresh or not is_done(out / cell.name)]
        if not left:
            keep_plan(out, plan)
            return Ended(out, cells, [])
        work = measure_work(left)
        circumstances = Circumstances(str(out.resolve()), os.getcwd(), campaign.threads, list(sys.argv))
        engine = _engine(on, workers, circumstances, share, address, len(left))
        try:
            if fresh:
                set_aside(out)
            keep_plan(out, plan)
            with watching(len(cells), work) as watcher:
                results = work_off(engine, longest_first(left, work), campaign.retries, watcher)
        finally:
            engine.close()
        return Ended(out, cells, results)


def _engine(
    on: str,
    workers: int | None,
    circumstances: Circumstances,
    share: float | None,
    address: str | None,
    cells: int,
) -> Engine[Cell]:
    if on == "ray":
        from mtlattack.campaigns.on_ray import OnRay

        return OnRay(workers, circumstances, share, address, cells)
    from mtlattack.campaigns.here import Here, most_cells, visible_gpus

    gpus = visible_gpus()
    if share is None:
        share = 1 if gpus else 0
    most = most_cells(share, len(gpus)) if share else (os.cpu_count() or 1) // circumstances.threads
    return Here(min(workers or max(1, most), cells), circumstances, share, gpus)

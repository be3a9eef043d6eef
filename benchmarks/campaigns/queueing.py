"""What the queue itself costs: cells that do nothing, on processes of this machine; no run is made.

python benchmarks/campaigns/queueing.py --cells 10000 --workers 2 --json benchmarks/campaigns/queueing.json
"""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from reporting import report
from tiny import Idle

from mtlattack.campaigns import Campaign
from mtlattack.campaigns.cells import expand
from mtlattack.campaigns.engine import Circumstances
from mtlattack.campaigns.here import Here
from mtlattack.campaigns.queue import work_off
from mtlattack.campaigns.watching import watching
from mtlattack.cli.script import run_script


def main(
    cells: Annotated[int, typer.Option(min=1, help="How many.")] = 10_000,
    workers: Annotated[int, typer.Option(min=1)] = 2,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
) -> None:
    """Give cells that do nothing to workers, one by one."""
    load = os.getloadavg()[0]
    planned = expand(Campaign(suites=["quick"], seeds=list(range(cells + workers))))
    engine = Here(workers, Circumstances(os.devnull, os.getcwd(), 1, sys.argv), kind=Idle)
    began = time.perf_counter()
    with watching(workers, {cell.name: 1.0 for cell in planned[:workers]}) as watcher:
        work_off(engine, planned[:workers], 0, watcher)
    start = time.perf_counter() - began
    began, processor = time.perf_counter(), time.process_time()
    with watching(cells, {cell.name: 1.0 for cell in planned[workers:]}) as watcher:
        results = work_off(engine, planned[workers:], 0, watcher)
    wall, driver = time.perf_counter() - began, time.process_time() - processor
    engine.close()
    assert len(results) == cells
    document = {
        "command": " ".join(sys.argv),
        "cells": cells,
        "workers": workers,
        "seconds_to_start_workers": start,
        "seconds": wall,
        "seconds_per_cell": wall / cells,
        "driver_processor_seconds_per_cell": driver / cells,
        "load_average_before": load,
    }
    report(document, json_path)


if __name__ == "__main__":
    run_script(main)

"""What a campaign costs beyond its runs: very many cells of next to no work each, on processes of this machine.

python benchmarks/campaigns/overhead.py --cells 10000 --workers 2 --json benchmarks/campaigns/overhead.json
"""

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from reporting import report
from tiny import write_image

from mtlattack.campaigns import Campaign, run_campaign
from mtlattack.cli.script import run_script

SUITE = 'name = "tiny"\nversion = 1\ndescription = "one image, clean"\nmodel = "tiny:make"\nbatch_size = 1\neps = [4]\n'


def main(
    cells: Annotated[int, typer.Option(min=1, help="How many; they differ in their seed.")] = 10_000,
    workers: Annotated[int, typer.Option(min=1)] = 2,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
) -> None:
    """Run a campaign of tiny cells, then again, when all is done."""
    load, json_path = os.getloadavg()[0], json_path and json_path.resolve()
    os.chdir(Path(__file__).parent)
    with TemporaryDirectory() as place:
        folder = Path(place)
        suite = folder / "tiny.toml"
        suite.write_text(f'{SUITE}data = "{write_image(folder / "tiny.h5")}"\nattacks = []\n')
        campaign = Campaign(suites=[str(suite)], seeds=list(range(cells)))
        began, processor = time.perf_counter(), time.process_time()
        ended = run_campaign(campaign, folder / "out", workers=workers)
        wall, driver = time.perf_counter() - began, time.process_time() - processor
        assert len(ended.results) == cells and not ended.failed, ended.failed[:3]
        began = time.perf_counter()
        assert not run_campaign(campaign, folder / "out", workers=workers).results
        again = time.perf_counter() - began
        inside = sorted(result.seconds for result in ended.results)
        size = sum(path.stat().st_size for path in (folder / "out").rglob("*") if path.is_file())
    document = {
        "command": " ".join(sys.argv),
        "cells": cells,
        "workers": workers,
        "seconds": wall,
        "seconds_in_cells": sum(inside),
        "median_cell": inside[cells // 2],
        "overhead_per_cell": (wall * workers - sum(inside)) / cells,
        "driver_processor_seconds": driver,
        "seconds_when_all_is_done": again,
        "bytes_per_cell": size / cells,
        "load_average_before": load,
    }
    report(document, json_path)


if __name__ == "__main__":
    run_script(main)

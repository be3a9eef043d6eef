"""How a campaign scales: measured with few workers here, and beyond by playing the queue with the measured times.

python benchmarks/campaigns/scaling.py --workers 1 --workers 2 --json benchmarks/campaigns/scaling.json
"""

import heapq
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer

from mtlattack.campaigns import Campaign, run_campaign
from mtlattack.campaigns.cells import Cell, expand
from mtlattack.campaigns.checking import measure_work
from mtlattack.campaigns.engine import Lost, Result
from mtlattack.campaigns.queue import longest_first, work_off
from mtlattack.campaigns.watching import Board
from mtlattack.cli.script import run_script
from mtlattack.evaluation.environment import measured_on
from mtlattack.files import write_json

MODELS = ["rooms-resnet10t.*"]
ATTACKS: list[str | list[str]] = ["fgsm-dgba", "pgd-dgba"]


class Imagined:
    """Workers in a time of their own: each cell takes what it took when it was measured, and `overhead` more."""

    def __init__(self, workers: int, seconds: Mapping[str, float], overhead: float) -> None:
        self.now, self._free, self._seconds, self._overhead = 0.0, workers, seconds, overhead
        self._running: list[tuple[float, str]] = []

    def free(self) -> int:
        """How many have no cell."""
        return self._free

    def start(self, cell: Cell) -> None:
        """Put a cell's end on the calendar."""
        self._free -= 1
        heapq.heappush(self._running, (self.now + self._seconds[cell.name] + self._overhead, cell.name))

    def wait(self) -> list[Result | Lost]:
        """Go to the next end."""
        self.now, name = heapq.heappop(self._running)
        self._free += 1
        return [Result(name, self._seconds[name])]

    def close(self) -> None:
        """Nothing."""


def play(cells: Sequence[Cell], work: Mapping[str, float], engine: Imagined) -> float:
    """Seconds that the queue would take."""
    work_off(engine, longest_first(cells, work), 0, Board(len(cells), work))
    return engine.now


def main(
    workers: Annotated[list[int], typer.Option(min=1, help="To measure with; repeatable.")] = [1, 2],  # noqa: B006
    images: Annotated[int, typer.Option(min=1, help="Of each cell.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds that are measured.")] = 1,
    imagined_seeds: Annotated[int, typer.Option(min=1, help="Seeds of the campaign that is played.")] = 10,
    overhead: Annotated[float, typer.Option(min=0, help="Seconds between two cells, of queueing.py.")] = 0.001,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
) -> None:
    """Measure a campaign over the rooms zoo with few workers, and play a larger one with many."""
    content = {"suites": ["quick"], "models": MODELS, "attacks": ATTACKS, "limit": images, "batch_size": images}
    campaign = Campaign.model_validate(content | {"seeds": list(range(seeds))})
    measured: dict[int, dict[str, Any]] = {}
    for count in workers:
        with TemporaryDirectory() as folder:
            load, began = os.getloadavg()[0], time.perf_counter()
            ended = run_campaign(campaign, Path(folder) / "out", workers=count)
            assert not ended.failed
            by_cell = {result.name: result.seconds for result in ended.results}
            measured[count] = {"seconds": time.perf_counter() - began, "cells": by_cell, "load_average_before": load}
    times = measured[workers[0]]["cells"]
    larger = expand(Campaign.model_validate(content | {"seeds": list(range(imagined_seeds))}))
    # A cell takes what a measured one of the same model and attack took, those of other seeds in turn.
    kinds: dict[str, list[float]] = {}
    for cell in expand(campaign):
        kinds.setdefault(_kind(cell), []).append(times[cell.name])
    seconds = {cell.name: kinds[_kind(cell)][cell.changes["seed"] % len(kinds[_kind(cell)])] for cell in larger}
    work = measure_work(larger)
    played = {count: play(larger, work, Imagined(count, seconds, overhead)) for count in (1, 2, 4, 8, 16, 32)}
    document = {
        "command": " ".join(sys.argv),
        "measured": measured,
        "played": {
            "cells": len(larger),
            "longest_cell": max(seconds.values()),
            "overhead": overhead,
            "seconds": played,
            "speed_up": {count: played[1] / value for count, value in played.items()},
        },
        "environment": measured_on(torch.device("cpu")),
    }
    print({count: (round(one["seconds"], 1), round(sum(one["cells"].values()), 1)) for count, one in measured.items()})
    print(document["played"])
    if json_path is not None:
        write_json(json_path, document)


def _kind(cell: Cell) -> str:
    return f"{cell.model} {cell.changes['attacks']}"


if __name__ == "__main__":
    run_script(main)

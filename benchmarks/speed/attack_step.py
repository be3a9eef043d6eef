"""The time of one attack step, and APGD's peak memory, against one forward plus one input-gradient backward.

Run as `python benchmarks/speed/attack_step.py`; see README.md beside it.
"""

import json
import os
import sys
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from memory import FLOOR, check_available, peak_bytes
from report import MEMORY_ATTACK, MEMORY_TARGET, TIME_TARGET, Result, plot, render
from rich.console import Console
from timing import time_case
from workload import Case, Workload

from mtlattack.devices import choose_device
from mtlattack.errors import InputError
from mtlattack.evaluation.environment import circumstances, numeric_environment
from mtlattack.progress import progress_bar


def main(
    tasks: Annotated[list[int], typer.Option(help="Number of tasks, the first of the recipe; repeatable.")] = [3, 5],  # noqa: B006
    size: Annotated[list[str], typer.Option(help="HEIGHTxWIDTH; repeatable.")] = ["120x160", "256x256"],  # noqa: B006
    batch: Annotated[int, typer.Option(min=1, help="Images in the batch.")] = 8,
    steps: Annotated[int, typer.Option(min=1, help="K, the steps of each attack.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count, after one to warm up.")] = 7,
    recipe: Annotated[str, typer.Option(help="Recipe whose network is built, untrained.")] = "rooms-resnet10t.shared",
    backbone: Annotated[str | None, typer.Option(help="Another timm backbone, at its own widths.")] = None,
    classes: Annotated[int, typer.Option(min=2, help="Classes of the segmentation task.")] = 13,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (torch's default).")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, batch and attacks.")] = 0,
    memory: Annotated[bool, typer.Option(help="Measure peak memory too.")] = True,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
    plot_path: Annotated[Path | None, typer.Option("--plot", help="Where to draw the picture.")] = None,
) -> None:
    """Time pgd-dgba and apgd-dgba against the floor, interleaved, and compare APGD's peak memory with the floor's."""
    chosen = choose_device(device)
    if memory:
        check_available(chosen)
    threads = threads or torch.get_num_threads()
    cases = [
        Case(recipe, backbone, count, classes, height, width, batch, steps, str(chosen), threads, seed)
        for count, (height, width) in product(tasks, map(_size, size))
    ]
    circumstance = {**circumstances(), "load_average": os.getloadavg()[0]}
    results = []
    with progress_bar("", len(cases) * (rounds + 1), "rounds") as bar:
        for case in cases:
            bar.describe(case.title)
            workload = Workload(case)
            timing = time_case(workload, rounds, bar.advance)
            parameters = sum(p.numel() for p in workload.model.parameters())
            del workload
            peaks = {work: peak_bytes(case, work) for work in (FLOOR, MEMORY_ATTACK)} if memory else None
            results.append(Result(case, parameters, timing, peaks))
    Console(width=None if Console().is_terminal else 100).print(render(results))
    if json_path:
        document = {
            "benchmark": "speed/attack_step",
            "targets": {"time": TIME_TARGET, "memory": MEMORY_TARGET},
            "environment": numeric_environment(chosen) | {"threads": threads},
            "circumstances": circumstance,
            "results": [_document(result) for result in results],
        }
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(document, indent=1) + "\n")
    if plot_path:
        plot(results, plot_path)


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) > 0 and int(width) > 0):
        raise InputError(f"size {text!r}, expected HEIGHTxWIDTH, e.g. 120x160")
    return int(height), int(width)


def _document(result: Result) -> dict[str, Any]:
    """Raw seconds beside the ratios, so that every number can be computed again."""
    timing = asdict(result.timing)
    return {
        "case": result.case.config(),
        "parameters": result.parameters,
        "seconds_per_step": {"floor": timing["floor"], "forward": timing["forward"], **timing["step"]},
        "time_ratios": {name: asdict(spread) for name, spread in result.ratios().items()},
        "peak_bytes": result.memory,
        "memory_ratio": result.memory_ratio,
    }


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)

"""The time of an attack step, and its peak memory, against what no attack can do without and against other ways.

Run as `python benchmarks/speed/attack_step.py`; see README.md beside it. All times are per step. The floor, and on the
prepared model PGD, APGD and PGD with a bfloat16 search, run K steps: APGD closes with a forward pass that its steps
share. Everything else costs the same at every step and runs `--few` of them.
"""

from itertools import product
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from contestants import compare_peaks, compare_times, contestants, countable
from flops import Convolution, count_flops
from memory import WORKS, check_available, peak_bytes
from report import Line, plot, show, started, write_json
from script import (
    NETWORKS,
    SIZES,
    TASK_COUNTS,
    BatchSize,
    Device,
    JsonPath,
    Networks,
    Seed,
    Sizes,
    TaskCounts,
    Threads,
    parse_size,
)
from timing import interleave
from workload import Case, Workload

from mtlattack.cli.script import run_script
from mtlattack.devices import choose_device
from mtlattack.progress import Bar, progress_bar


def main(
    network: Networks = NETWORKS,
    tasks: TaskCounts = TASK_COUNTS,
    size: Sizes = SIZES,
    batch: BatchSize = 4,
    steps: Annotated[int, typer.Option(min=1, help="K, the steps of an attack.")] = 20,
    few: Annotated[int, typer.Option(min=1, help="Steps of what costs the same at every step.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count, after one to warm up.")] = 7,
    device: Device = "cpu",
    threads: Threads = None,
    seed: Seed = 0,
    memory: Annotated[bool, typer.Option(help="Measure peak memory too.")] = True,
    json_path: JsonPath = None,
    plot_path: Annotated[Path | None, typer.Option("--plot", help="Where to draw the picture.")] = None,
) -> None:
    """Time attacks against the floor, the FLOP bound and the T-backward formulation, interleaved; compare peaks."""
    chosen = choose_device(device)
    if memory:
        check_available(chosen)
    threads = threads or torch.get_num_threads()
    torch.set_num_threads(threads)
    start = started(chosen)
    common: dict[str, Any] = {"batch": batch, "steps": steps, "device": str(chosen), "threads": threads, "seed": seed}
    cases = [
        Case(network=name, tasks=count, height=height, width=width, **common)
        for name, count, (height, width) in product(network, tasks, map(parse_size, size))
    ]
    lines, results = [], []
    with progress_bar("", len(cases) * (rounds + 1), "rounds") as bar:
        for case in cases:
            bar.describe(case.title)
            found, document = _measure(case, few, rounds, memory, bar)
            lines += found
            results.append(document)
            if json_path:  # After every case: hours lie between the first and the last.
                write_json(json_path, "speed/attack_step", start, results=results)
    show("One step of an attack", lines)
    if plot_path:
        plot(lines, plot_path)


def _measure(case: Case, few: int, rounds: int, memory: bool, bar: Bar) -> tuple[list[Line], dict[str, Any]]:
    """The ratios of a case, and for the JSON file all that they were computed from."""
    workload = Workload(case)
    prepared = workload.prepared
    flops = {name: count_flops(work) for name, work in countable(workload).items()}
    field = contestants(workload, few)
    taken = interleave({n: c.work for n, c in field.items()}, rounds, device=workload.device, advance=bar.advance)
    seconds = {name: [value / field[name].steps for value in values] for name, values in taken.items()}
    lines = compare_times(case, seconds, flops)
    document = {
        "case": case.config(),
        "parameters": sum(p.numel() for p in workload.plain.parameters()),
        "batch_norms_folded": prepared.folded,
        "channels_last": prepared.channels_last,
        "steps": {name: contestant.steps for name, contestant in field.items()},
        "seconds_per_step": seconds,
        "flops_per_step": flops,
        "convolution_flops": Convolution.flops,
    }
    del workload, prepared, field
    if memory:
        document["peak_bytes"] = {work: peak_bytes(case, work) for work in WORKS}
        lines += compare_peaks(case, document["peak_bytes"])
    return lines, document | {"ratios": {line.ratio: line.document() for line in lines}}


if __name__ == "__main__":
    run_script(main)

"""Peak memory alone, in minutes where `attack_step.py` takes an hour; other work on the machine does not matter.

Run as `python benchmarks/speed/peaks.py`; see README.md beside it.
"""

from itertools import product

import torch
from contestants import compare_peaks
from memory import WORKS, check_available, peak_bytes
from report import show, started, write_json
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
from workload import Case

from mtlattack.cli.script import run_script
from mtlattack.devices import choose_device
from mtlattack.progress import progress_bar


def main(
    network: Networks = NETWORKS,
    tasks: TaskCounts = TASK_COUNTS,
    size: Sizes = SIZES,
    batch: BatchSize = 4,
    device: Device = "cpu",
    threads: Threads = None,
    seed: Seed = 0,
    json_path: JsonPath = None,
) -> None:
    """Compare the peaks of attacks, the floor and the T-backward formulation."""
    chosen = choose_device(device)
    check_available(chosen)
    start = started(chosen)
    cases = [
        Case(
            network=name, tasks=count, height=height, width=width, batch=batch, steps=3, device=str(chosen),
            threads=threads or torch.get_num_threads(), seed=seed,
        )
        for name, count, (height, width) in product(network, tasks, map(parse_size, size))
    ]  # fmt: skip
    lines, results = [], []
    with progress_bar("", len(cases) * len(WORKS), "peaks") as bar:
        for case in cases:
            bar.describe(case.title)
            peaks = {}
            for work in WORKS:
                peaks[work] = peak_bytes(case, work)
                bar.advance()
            found = compare_peaks(case, peaks)
            lines += found
            ratios = {line.ratio: line.document() for line in found}
            results.append({"case": case.config(), "peak_bytes": peaks, "ratios": ratios})
    show("Peak memory", lines)
    if json_path:
        write_json(json_path, "speed/peaks", start, results=results)


if __name__ == "__main__":
    run_script(main)

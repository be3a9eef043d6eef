"""Peak memory alone, in minutes where `attack_step.py` takes an hour; other work on the machine does not matter.

Run as `python benchmarks/speed/peaks.py`; see README.md beside it.
"""

from itertools import product
from pathlib import Path
from typing import Annotated

import torch
import typer
from contestants import compare_peaks
from memory import WORKS, check_available, peak_bytes
from report import show, started, write_json
from script import parse_size
from workload import Case

from mtlattack.cli.script import run_script
from mtlattack.devices import choose_device
from mtlattack.progress import progress_bar


def main(
    network: Annotated[list[str], typer.Option(help="resnet34, resnet34-atrous or zoo; repeatable.")] = [  # noqa: B006
        "resnet34",
        "resnet34-atrous",
        "zoo",
    ],
    tasks: Annotated[list[int], typer.Option(help="Number of tasks; repeatable.")] = [3, 5],  # noqa: B006
    size: Annotated[list[str], typer.Option(help="HEIGHTxWIDTH; repeatable.")] = ["120x160", "256x256"],  # noqa: B006
    batch: Annotated[int, typer.Option(min=1, help="Images in the batch.")] = 4,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (torch's default).")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, batch and attacks.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
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

"""Time and memory of a run against the number of its images: hashing, attacking, merging shards, the report.

`runs` attacks generated images; `evidence` lays out evidence of as many images as one likes without attacking any.
Every stage is a process of its own, which finds nothing in memory that an earlier one left.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import torch
import typer
from generated import TASKS, Generated, Trivial

from mtlattack.analysis import read_run
from mtlattack.attacks import create_attack
from mtlattack.cli.script import run_script
from mtlattack.evaluation import evaluate
from mtlattack.evaluation.environment import measured_on
from mtlattack.evidence import Evidence, EvidenceFile, Measurement, Shard, job_names, merge_shards
from mtlattack.files import write_json, write_section

SHARDS, BATCH, BLOCK = 2, 500, 20_000
_MB = 1024
_FORK = get_context("fork")


class Stages:
    """Processor seconds and peak resident memory (MB) of the stages of one piece of work."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}

    def measure(self, name: str, work: Callable[[], object]) -> None:
        """Run a stage in a process that is forked for it."""
        receiver, sender = _FORK.Pipe(duplex=False)
        process = _FORK.Process(target=lambda: sender.send(_measured(work)))
        process.start()
        sender.close()
        self.found[name] = receiver.recv()
        process.join()


def _measured(work: Callable[[], object]) -> dict[str, float]:
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    began = time.process_time()
    kept = work()
    found = {"seconds": time.process_time() - began, "peak_mb": _status("VmHWM"), "own_mb": _status("RssAnon")}
    del kept  # until here, so that `own_mb` is with what the stage made
    return found


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) / _MB


def measure_run(images: int) -> dict[str, Any]:
    """Two shards, one after the other, of a run with FGSM, merged, and the report of it."""

    def attack(file: Path, shard: Shard) -> Evidence:
        attacks = [create_attack("fgsm-total", eps=4 / 255)]
        data = Generated(images)
        return evaluate(Trivial(), data, attacks, path=file, batch_size=BATCH, shard=shard, device="cpu")

    stages = Stages()
    stages.measure("hashing", lambda: Generated(images).identify())
    return _measure_shards(stages, attack)


def measure_evidence(images: int) -> dict[str, Any]:
    """Evidence of shards, with random numbers in the place of measured ones, merged, and the report of it."""
    return _measure_shards(Stages(), lambda file, shard: _write(file, Generated(images).ids, shard))


def _measure_shards(stages: Stages, make: Callable[[Path, Shard], object]) -> dict[str, Any]:
    """Every shard made, all merged, and the report."""
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}" / "evidence.h5" for number in range(1, SHARDS + 1)]
        path = Path(folder) / "evidence.h5"
        for number, file in enumerate(files, 1):
            stages.measure(f"shard {number}/{SHARDS}", partial(make, file, Shard(number, SHARDS)))
        stages.measure("merging", lambda: merge_shards(files, path))
        stages.measure("report", lambda: read_run(path).report())
    return stages.found


def _plan(ids: list[str]) -> dict[str, Any]:
    """That of a run with two attacks."""
    first = evaluate(Trivial(), Generated(1), [create_attack("fgsm-total", eps=4 / 255)], device="cpu").plan
    identity = json.dumps(ids).encode()
    digests = {**first["data"]["sha256"], "id": hashlib.sha256(identity).hexdigest()}
    return {**first, "data": {**first["data"], "images": len(ids), "sha256": digests}, "attacks": first["attacks"] * 2}


def _write(file: Path, ids: list[str], shard: Shard) -> None:
    plan = _plan(ids)
    own = [ids[position] for position in shard.positions(len(ids))]
    environment = measured_on(torch.device("cpu")) | {"shard": str(shard)}
    evidence, draw = EvidenceFile.create(file, plan, environment, own), np.random.default_rng(shard.number)
    for begin in range(0, len(own), BLOCK):
        rows = slice(begin, min(begin + BLOCK, len(own)))
        count = rows.stop - rows.start
        for job in job_names(plan):
            statistics = {name: draw.uniform(1, 2, (count, len(task.statistics_names))) for name, task in TASKS.items()}
            if job == "clean":
                evidence.write_constant(rows, statistics)
            losses, norms = draw.uniform(1, 2, (count, len(TASKS))), draw.uniform(0, 1, (count, 4))
            evidence.write(job, rows, Measurement(losses, statistics, norms, np.full((count, 3), np.nan)), 1.0)


WORKS = {"runs": measure_run, "evidence": measure_evidence}


def table(kind: str, measured: dict[int, dict[str, Any]]) -> str:
    """A Markdown table: seconds and peak by stage, a column a number of images."""
    sizes = sorted(measured)
    stages = list(measured[sizes[0]])
    head = f"| {kind} | " + " | ".join(f"{size:,} images" for size in sizes) + " |"
    rows = [
        f"| {stage} | "
        + " | ".join(
            f"{measured[size][stage]['seconds']:.2f} s, {measured[size][stage]['peak_mb']:.0f} MB" for size in sizes
        )
        + " |"
        for stage in stages
    ]
    return "\n".join([head, "|---|" + "---|" * len(sizes), *rows]) + "\n"


def main(
    runs: Annotated[list[int], typer.Option(help="Numbers of images to attack.")] = [1_000, 10_000, 100_000],  # noqa: B006
    evidence: Annotated[list[int], typer.Option(help="Numbers of images of evidence.")] = [10_000, 100_000, 1_000_000],  # noqa: B006
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
    readme: Annotated[Path | None, typer.Option(help="File whose marked sections get the tables.")] = None,
) -> None:
    """Measure each number of images in a process of its own."""
    run_by = {**measured_on(torch.device("cpu")), "load_average": os.getloadavg()[0]}
    found: dict[str, dict[int, dict[str, Any]]] = {"runs": {}, "evidence": {}}
    for kind, sizes in (("runs", runs), ("evidence", evidence)):
        for size in sizes:
            found[kind][size] = WORKS[kind](size)
            print(f"{kind} {size}: {found[kind][size]}", file=sys.stderr, flush=True)
            if json_path:
                write_json(json_path, {"benchmark": "scale", "circumstances": run_by, "seed": 0, **found})
    for kind, measured in found.items():
        if measured:
            print(table(kind, measured))
            if readme:
                write_section(readme, kind, "scale.py", table(kind, measured))


if __name__ == "__main__":
    run_script(main)

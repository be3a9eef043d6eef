"""Time and memory of a run against the number of its images: hashing, attacking, merging shards, the report.

`runs` attacks generated images; `evidence` lays out evidence of as many images as one likes without attacking any.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, TypeVar

import numpy as np
import torch
import typer
from generated import TASKS, Generated, Trivial

from mtlattack.analysis import Run
from mtlattack.attacks import create_attack
from mtlattack.cli.script import run_script
from mtlattack.evaluation import evaluate
from mtlattack.evaluation.environment import circumstances, numeric_environment
from mtlattack.evidence import EvidenceFile, Measurement, Shard, job_names, merge_shards, read_evidence
from mtlattack.files import write_json, write_section

T = TypeVar("T")
SHARDS, BATCH, BLOCK = 2, 500, 20_000
_MB = 1024


class Stages:
    """Processor seconds and peak resident memory (MB) of the stages of one piece of work."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}

    def measure(self, name: str, work: Callable[[], T]) -> T:
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
        began = time.process_time()
        result = work()
        peak, anonymous = _status("VmHWM"), _status("RssAnon")
        self.found[name] = {"seconds": time.process_time() - began, "peak_mb": peak, "own_mb": anonymous}
        return result


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) / _MB


def measure_run(images: int) -> dict[str, Any]:
    """Two shards, one after the other, of a run with FGSM, merged, and the report of it."""
    stages, data, model = Stages(), Generated(images), Trivial()
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}" / "evidence.h5" for number in range(SHARDS)]
        stages.measure("hashing", data.identify)
        for number, file in enumerate(files, 1):
            shard = Shard(number, SHARDS)
            stages.measure(
                f"shard {shard}",
                lambda file=file, shard=shard: evaluate(
                    model, data, [create_attack("fgsm-total", eps=4 / 255)], path=file, batch_size=BATCH,
                    shard=shard, device="cpu",
                ),
            )  # fmt: skip
        _merged(stages, files, Path(folder) / "evidence.h5")
    return stages.found


def measure_evidence(images: int) -> dict[str, Any]:
    """Evidence of shards, with random numbers in the place of measured ones, merged, and the report of it."""
    stages, ids = Stages(), Generated(images).ids
    plan = _plan(ids)
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}" / "evidence.h5" for number in range(SHARDS)]
        for number, file in enumerate(files, 1):
            stages.measure(
                f"shard {number}/{SHARDS}",
                lambda file=file, number=number: _write(file, plan, ids, Shard(number, SHARDS)),
            )
        _merged(stages, files, Path(folder) / "evidence.h5")
    return stages.found


def _merged(stages: Stages, files: list[Path], path: Path) -> None:
    stages.measure("merging", lambda: merge_shards(files, path))
    run = stages.measure("reading", lambda: Run.of(read_evidence(path)))
    stages.measure("report", run.report)


def _plan(ids: list[str]) -> dict[str, Any]:
    """That of a run with two attacks."""
    first = evaluate(Trivial(), Generated(1), [create_attack("fgsm-total", eps=4 / 255)], device="cpu").plan
    identity = json.dumps(ids).encode()
    digests = {**first["data"]["sha256"], "id": hashlib.sha256(identity).hexdigest()}
    return {**first, "data": {**first["data"], "images": len(ids), "sha256": digests}, "attacks": first["attacks"] * 2}


def _write(file: Path, plan: dict[str, Any], ids: list[str], shard: Shard) -> None:
    own = [ids[position] for position in shard.positions(len(ids))]
    environment = numeric_environment(torch.device("cpu")) | circumstances() | {"shard": str(shard)}
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
    run_by = {**numeric_environment(torch.device("cpu")), **circumstances(), "load_average": os.getloadavg()[0]}
    found: dict[str, dict[int, dict[str, Any]]] = {"runs": {}, "evidence": {}}
    for kind, sizes in (("runs", runs), ("evidence", evidence)):
        for size in sizes:
            with ProcessPoolExecutor(1, get_context("fork")) as process:
                found[kind][size] = process.submit(WORKS[kind], size).result()
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

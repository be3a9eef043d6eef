"""What `check.sh` runs on a device: tests, speed against goals, agreement of precisions, one run in shards; one page.

Each part is a process with a limit of its own; one that fails or runs out of time says so on the page, and the others
go on. The exit code is 1 if a test failed, or a number differs that must not.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import mtlattack as mta
from mtlattack.data import load_dataset
from mtlattack.devices import choose_device
from mtlattack.evaluation import evaluate
from mtlattack.evaluation.preparation import Precision
from mtlattack.evidence import Evidence, read_evidence
from mtlattack.models import create_model
from mtlattack.version import __version__

ROOT = Path(__file__).parents[2]
TESTS = (
    "tests/models/prepared", "tests/models/test_model_devices.py", "tests/attacks/test_attack_devices.py",
    "tests/evaluation/test_evaluation_graphs.py", "tests/evaluation/test_evaluation_environment.py",
    "tests/test_chance.py",
)  # fmt: skip
MODEL, ATTACKS, EPS = "rooms-resnet10t.shared", ("fgsm-dgba", "pgd-dgba"), 4 / 255


@dataclass(frozen=True)
class Extent:
    """How much of each part is done: what is tested, options of `speed/attack_step.py`, images attacked in the other
    two; and the seconds after which a process of a part is taken to hang."""

    tests: tuple[str, ...]
    speed: tuple[str, ...]
    images: int
    limit: int


_CASE = ("--network", "resnet34", "--tasks", "3", "--steps", "10", "--rounds", "3")
ON_A_GPU = Extent(TESTS, (*_CASE, "--size", "256x256", "--batch", "32"), 8, 240)
ON_A_CPU = Extent(TESTS, (*_CASE, "--size", "120x160", "--batch", "2"), 8, 240)
# Its figures say nothing; a machine that is busy with other things gets through it all the same.
SMALL = Extent(
    ("tests/test_chance.py",),
    ("--network", "zoo", "--tasks", "2", "--steps", "2", "--rounds", "1", "--size", "32x32", "--batch", "1"),
    2,
    3600,
)

Make = Callable[[Path, torch.device, Extent], tuple[str, bool]]


def main() -> int:
    """All parts, then the page; 1 if one of them is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--small", action="store_true", help="as little of each part as shows that it works")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    device = choose_device(None)
    extent = SMALL if options.small else ON_A_GPU if device.type == "cuda" else ON_A_CPU
    page, right = [_heading(device)], True
    for title, make in PARTS.items():
        begun = time.perf_counter()
        try:
            text, good = make(options.out, device, extent)
        except Exception as error:  # whatever a device does: the other parts are to be seen
            text, good = f"failed: {type(error).__name__}: {' '.join(str(error).split())[:500]}", False
        right &= good
        page.append(f"## {title}\n\n{text}\n\n{time.perf_counter() - begun:.0f} s\n")
        (options.out / "page.md").write_text("\n".join(page))
    print((options.out / "page.md").read_text())
    return 0 if right else 1


def _heading(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{os.cpu_count()} CPU cores"
    return (
        f"# {name}\n\nmtlattack {__version__}, torch {torch.__version__}, Python {sys.version.split()[0]}; load "
        f"average at the start {os.getloadavg()[0]:.1f}. Written by `benchmarks/device/check.sh`.\n"
    )


def run(command: list[str], limit: int) -> subprocess.CompletedProcess[str]:
    """A process in the repository's folder; TimeoutExpired after its limit."""
    environment = os.environ | {"COLUMNS": "140"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=limit)


def tests(out: Path, device: torch.device, extent: Extent) -> tuple[str, bool]:
    """The tests that look at devices; those of CUDA skip where there is none."""
    done = run([sys.executable, "-m", "pytest", "-rfEs", *extent.tests], extent.limit)
    (out / "tests.log").write_text(done.stdout + done.stderr)
    lines = done.stdout.strip().splitlines() or [done.stderr[-300:]]
    waiting = sum(line.startswith("SKIPPED") and "CUDA" in line for line in lines)
    note = f" ({waiting} reasons to skip name CUDA)" if waiting else ""
    said = f"`pytest {' '.join(extent.tests)}`: {lines[-1]}{note}"
    failed = [f"- {line}" for line in lines[:-1] if line.startswith(("FAILED", "ERROR"))]
    return "\n".join([said, "", *failed] if failed else [said]), done.returncode == 0


def speed(out: Path, device: torch.device, extent: Extent) -> tuple[str, bool]:
    """Ratios inside interleaved rounds, with goals; a goal missed is said and is no error."""
    path = out / "attack_step.json"
    options = [*extent.speed, "--no-memory", "--device", device.type, "--json", str(path)]
    done = run([sys.executable, "benchmarks/speed/attack_step.py", *options], extent.limit)
    if done.returncode:
        return f"failed:\n\n```\n{done.stderr[-1000:]}\n```", False
    lines = ["| ratio | median | min–max | goal | |", "|---|---|---|---|---|"]
    for ratio, value in json.loads(path.read_text())["results"][0]["ratios"].items():
        goal = value.get("goal", "")
        verdict = "" if not goal else "reached" if value["reached"] else "missed"
        lines.append(
            f"| {ratio} | {value['median']:.2f} | {value['low']:.2f}–{value['high']:.2f} | {goal} | {verdict} |"
        )
    return "\n".join(lines), True


def agreement(out: Path, device: torch.device, extent: Extent) -> tuple[str, bool]:
    """The same attack searched in float32, TF32 and bfloat16, judged in float32, and all against the CPU."""
    model = create_model(MODEL)
    data = load_dataset("rooms", tasks=model.tasks, limit=extent.images)
    attack = mta.create_attack("apgd-dgba", eps=EPS, steps=10)
    reference = evaluate(model, data, [attack], device="cpu")
    lines = ["| device, precision | clean losses off by | log ratio |", "|---|---|---|"]
    lines.append(f"| cpu, float32 (the reference) | 0 | {_log_ratio(reference):.4f} |")
    kinds: tuple[tuple[str, Precision, bool], ...] = (
        ("float32", "float32", False), ("TF32", "float32", True), ("bfloat16", "bfloat16", False),
    )  # fmt: skip
    for name, precision, fast in kinds:
        if fast and device.type != "cuda":
            lines.append("| TF32 | skipped: needs a CUDA device | |")
            continue
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = fast
        found = evaluate(model, data, [attack], device=device.type, precision=precision)
        off = np.abs(found.clean.losses / reference.clean.losses - 1).max()
        lines.append(f"| {device.type}, {name} | {off:.1e} | {_log_ratio(found):.4f} |")
    return "\n".join(lines), True


def _log_ratio(evidence: Evidence) -> float:
    return float(np.log(evidence.attacked[0].losses / evidence.clean.losses).mean())


def shards(out: Path, device: torch.device, extent: Extent) -> tuple[str, bool]:
    """`torchrun` with a rank a GPU, two on a CPU, against one process: equal to the last bit."""
    ranks = max(torch.cuda.device_count(), 2) if device.type == "cuda" else 2
    attacked = ["run", "quick", "--model", MODEL, "--attacks", ",".join(ATTACKS), "--limit", str(extent.images)]
    chosen = ["--batch-size", "2", "--device", device.type, "--seed", "0", "--fresh"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(ranks), "-m", "mtlattack"]
    alone = [sys.executable, "-m", "mtlattack"]
    for command, place in ((torchrun, "shards"), (alone, "whole")):
        done = run([*command, *attacked, *chosen, "--out", str(out / place)], extent.limit)
        if done.returncode:
            return f"{place} failed:\n\n```\n{done.stderr[-1000:]}\n```", False
    one, other = (read_evidence(out / place / "evidence.h5") for place in ("shards", "whole"))
    same = _same(one, other)
    return f"{ranks} ranks of `torchrun` against one process: {'the same bits' if same else 'DIFFERENT numbers'}", same


def _same(one: Evidence, other: Evidence) -> bool:
    pairs = zip((one.clean, *one.attacked), (other.clean, *other.attacked), strict=True)
    return one.ids == other.ids and all(
        np.array_equal(a.losses, b.losses) and np.array_equal(a.perturbation, b.perturbation) for a, b in pairs
    )


PARTS: dict[str, Make] = {"Tests": tests, "Speed": speed, "Precisions": agreement, "Shards": shards}

if __name__ == "__main__":
    raise SystemExit(main())

"""What `check.sh` runs on a device: tests, speed against goals, agreement of precisions, one run in shards; one page.

Each part is a process with a limit of its own; one that fails or runs out of time says so on the page, and the others
go on. The exit code is 1 if a test failed, or a number differs that must not.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mtlattack.devices import choose_device
from mtlattack.evidence import Evidence, read_evidence
from mtlattack.version import __version__

ROOT = Path(__file__).parents[2]
TESTS = (
    "tests/models/prepared", "tests/models/test_model_devices.py", "tests/attacks/test_attack_devices.py",
    "tests/evaluation/test_evaluation_graphs.py", "tests/evaluation/test_evaluation_environment.py",
    "tests/test_chance.py",
)  # fmt: skip
MODEL, ATTACKS = "rooms-resnet10t.shared", ("fgsm-dgba", "pgd-dgba")
# Relative, of shards and whole on GPUs.
CLEAN_WITHIN, ATTACKED_WITHIN = 1e-3, 0.05


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
    """A process in the repository's folder; TimeoutExpired after its limit, when all that it started is ended too."""
    pipe, environment = subprocess.PIPE, os.environ | {"COLUMNS": "140"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            said, errors = process.communicate(timeout=limit)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, said, errors)


def found(out: Path, device: torch.device, extent: Extent) -> tuple[str, bool]:
    """Whether torch sees the GPUs that the driver lists."""
    listed = run(["nvidia-smi", "-L"], 60).stdout.splitlines() if shutil.which("nvidia-smi") else []
    gpus = sum(line.startswith("GPU ") for line in listed)
    seen = torch.cuda.device_count() if device.type == "cuda" else 0
    text = f"`nvidia-smi` lists {gpus} GPUs, torch {torch.__version__} sees {seen}; all below is on {device.type}"
    lost = gpus > 0 and seen == 0 and os.environ.get("CUDA_VISIBLE_DEVICES") != ""
    return (f"{text}: is the driver too old for this torch?" if lost else text), not lost


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
    """The same attack in several precisions, by `precisions.py`."""
    options = ["--device", device.type, "--images", str(extent.images)]
    done = run([sys.executable, "benchmarks/device/precisions.py", *options], extent.limit)
    if done.returncode:
        return f"failed:\n\n```\n{done.stderr[-1000:]}\n```", False
    return done.stdout.strip(), True


def shards(out: Path, device: torch.device, extent: Extent) -> tuple[str, bool]:
    """`torchrun` with a rank a GPU, two on a CPU, against one process: on a CPU equal to the last bit, on GPUs, whose
    kernels add in any order, as close as that leaves them."""
    ranks = min(torch.cuda.device_count(), extent.images) if device.type == "cuda" else 2
    if ranks < 2:
        return "skipped: needs two GPUs", True
    attacked = ["run", "quick", "--model", MODEL, "--attacks", ",".join(ATTACKS), "--limit", str(extent.images)]
    chosen = ["--batch-size", "2", "--device", device.type, "--cuda-graphs", "off", "--seed", "0", "--fresh"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    for command, place in (([*torchrun, "-m", "mtlattack"], "shards"), ([sys.executable, "-m", "mtlattack"], "whole")):
        done = run([*command, *attacked, *chosen, "--out", str(out / place)], extent.limit)
        if done.returncode:
            return f"{place} failed:\n\n```\n{done.stderr[-1000:]}\n```", False
    one, other = (read_evidence(out / place / "evidence.h5") for place in ("shards", "whole"))
    said = f"{ranks} ranks of `torchrun` against one process: "
    if device.type != "cuda":
        same = _same(one, other)
        return f"{said}{'the same bits' if same else 'DIFFERENT numbers'}", same
    clean, attacked_by = (float(np.abs(a / b - 1).max()) for a, b in zip(_losses(one), _losses(other), strict=True))
    close = clean <= CLEAN_WITHIN and attacked_by <= ATTACKED_WITHIN
    text = f"{said}clean losses off by {clean:.1e} (at most {CLEAN_WITHIN:g}), an attack's mean by {attacked_by:.1e}"
    return f"{text} (at most {ATTACKED_WITHIN:g}){'' if close else ': DIFFERENT numbers'}", close


def _losses(evidence: Evidence) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each image's before, and each task's mean after each attack: rounding turns signs of single steps."""
    return evidence.clean.losses, np.stack([outcome.losses.mean(0) for outcome in evidence.attacked])


def _same(one: Evidence, other: Evidence) -> bool:
    pairs = zip((one.clean, *one.attacked), (other.clean, *other.attacked), strict=True)
    return one.ids == other.ids and all(
        np.array_equal(a.losses, b.losses) and np.array_equal(a.perturbation, b.perturbation) for a, b in pairs
    )


PARTS: dict[str, Make] = {"Device": found, "Tests": tests, "Speed": speed, "Precisions": agreement, "Shards": shards}

if __name__ == "__main__":
    raise SystemExit(main())

"""Time and memory of learning and attacking, at full size and against the numbers of points.

python benchmarks/poisoning/cost.py --from FOLDER

FOLDER holds LandmineData.mat. SARCOS's training file is not at hand: a table drawn at random has its size, 44,484 rows
of 21 features for 7 tasks. Every case is a process of its own; seconds are the processor's, of the wall too for the
goals; slopes are least squares of log seconds on log size, each the least of two runs. Set OMP_NUM_THREADS=1.
"""

import argparse
import resource
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from mtlattack.files import write_json
from mtlattack.poisoning import Box, Goal, Kind, Learner, Patom, TaskSet, make_tasks
from mtlattack.poisoning.sources import read_tasks
from mtlattack.poisoning.splitting import units_of

HERE = Path(__file__).parent
SARCOS_ROWS, SARCOS_FEATURES, SARCOS_TASKS, SARCOS_INJECTED = 44_484, 21, 7, 500
INJECTED = (1000, 4000, 16_000, 64_000)
ROWS = (2_500, 5_000, 10_000, 20_000)
SWEPT_ITERATIONS, SWEPT_ROWS, SWEPT_INJECTED, REPEATS = 3, 2_500, 500, 2


def landmine(folder: Path) -> dict[str, Any]:
    """All 29 tasks are targets and attacked, a fifth of all points, 100 iterations, exact."""
    tasks = read_tasks("landmine", folder)
    tasks = units_of(tasks).of(tasks)
    everyone = tuple(range(len(tasks)))
    return attack(tasks, Goal(everyone, everyone, 0.2, Box.around(tasks)), Patom(), Learner())


def sarcos() -> dict[str, Any]:
    """Half of the tasks are targets, 500 points into the others, 100 iterations, exact."""
    tasks = sized(Kind.REGRESSION, SARCOS_ROWS)
    goal = Goal((0, 1, 2), (3, 4, 5, 6), SARCOS_INJECTED, Box.around(tasks))
    return attack(tasks, goal, Patom(), Learner())


def sized(kind: Kind, rows: int) -> TaskSet:
    """A table of SARCOS's shape: all tasks have the same rows."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(rows, SARCOS_FEATURES))
    weights = generator.normal(size=(SARCOS_FEATURES, 3)) @ generator.normal(size=(3, SARCOS_TASKS))
    responses = x @ (weights / np.linalg.norm(weights, axis=0)) + 0.3 * generator.normal(size=(rows, SARCOS_TASKS))
    labels = responses if kind is Kind.REGRESSION else (responses > 0).astype(float)
    return make_tasks(kind, [(x, column) for column in labels.T])


def attack(tasks: TaskSet, goal: Goal, patom: Patom, learner: Learner) -> dict[str, Any]:
    """Seconds of learning to 1e-10 and of the attack."""
    wall, processor = time.perf_counter(), time.process_time()
    solution = learner.fit(tasks)
    found = {"fit_wall": time.perf_counter() - wall, "fit": time.process_time() - processor}
    wall, processor = time.perf_counter(), time.process_time()
    poison = patom(learner, tasks, goal)
    found |= {"attack_wall": time.perf_counter() - wall, "attack": time.process_time() - processor}
    injected = sum(len(y) for _, y in poison.points.values())
    return {**found, "stationarity": solution.stationarity, "injected": injected, "utility_rise": poison.utility
            - poison.history[0], "tasks": len(tasks), "points": sum(tasks.sizes)}  # fmt: skip


def swept(kind: Kind, rows: int, injected: int) -> dict[str, Any]:
    """One place of a sweep."""
    tasks = sized(kind, rows)
    goal = Goal((0, 1, 2), (3, 4, 5, 6), injected, Box.around(tasks))
    runs = [attack(tasks, goal, Patom(iterations=SWEPT_ITERATIONS), Learner()) for _ in range(REPEATS)]
    return {"rows": rows, "injected": injected, "seconds": min(run["attack"] for run in runs),
            "fit": min(run["fit"] for run in runs)}  # fmt: skip


def apart(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """In a process of its own, with its peak resident memory (MB)."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_with_memory, (work, *arguments))


def _with_memory(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    found = work(*arguments)
    return {**found, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def slope(sizes: list[int], seconds: list[float]) -> float:
    """Of log seconds on log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, required=True)
    options = parser.parse_args()
    result: dict[str, Any] = {
        "goals": {"landmine": apart(landmine, options.source), "sarcos": apart(sarcos)},
        "sweeps": {},
    }
    print(result["goals"], flush=True)
    for kind in Kind:
        injected = [apart(swept, kind, SWEPT_ROWS, each) for each in INJECTED]
        rows = [apart(swept, kind, each, SWEPT_INJECTED) for each in ROWS]
        result["sweeps"][kind] = {
            "injected": injected, "slope_injected": slope(list(INJECTED), [each["seconds"] for each in injected]),
            "rows": rows, "slope_rows": slope(list(ROWS), [each["seconds"] for each in rows]),
            "slope_fit": slope(list(ROWS), [each["fit"] for each in rows]),
        }  # fmt: skip
        print(
            kind, {key: value for key, value in result["sweeps"][kind].items() if key.startswith("slope")}, flush=True
        )
    write_json(HERE / "cost.json", {"command": "cost.py --from FOLDER", **result})


if __name__ == "__main__":
    main()

"""The toy run of PATOM's pilot, drawn again: six tasks, ten features, weights of rank two, a fifth injected.

python benchmarks/poisoning/pilot.py

The pilot told means of three seeds: clean .113, direct .825, indirect .242, random direct .193, random indirect .126.
How many points a task had, the noise, λ₁, λ₂, the iterations and how far points may lie were not told, so some of it is
tried: λ₂, and the box of all points or ±2. A figure is reproduced where it lies in the 95 % prediction interval of a
mean of three new seeds (Student's t).
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from mtlattack.files import write_json
from mtlattack.poisoning import Box, Goal, Learner, Method, Mode, Patom, TaskSet, draw_tasks, inject
from mtlattack.poisoning.experiment import Estimate
from mtlattack.poisoning.metrics import errors

HERE = Path(__file__).parent
PILOT = {
    "clean": 0.113,
    "patom direct": 0.825,
    "patom indirect": 0.242,
    "random direct": 0.193,
    "random indirect": 0.126,
}
PILOT_SEEDS = 3
PLACES = ((0.1, None), (0.1, 2.0), (0.01, 2.0))
"""λ₂, and half the width of the box; None: the box of all points."""
POINTS, TESTED = 50, 500
TARGETS, OTHERS = (0, 1, 2), (3, 4, 5)


def drawn(seed: int) -> tuple[TaskSet, TaskSet]:
    """Training and test tasks with the same weights."""
    tasks = draw_tasks(points=POINTS + TESTED, seed=seed)
    rows = np.arange(POINTS + TESTED)
    return tasks.only([rows[:POINTS]] * len(tasks)), tasks.only([rows[POINTS:]] * len(tasks))


def run(relation: float, half: float | None, seeds: int, iterations: int) -> dict[str, list[float]]:
    """The targets' mean test NMSE by attack, a number a seed."""
    found: dict[str, list[float]] = {}
    learner = Learner(relation=relation)
    for seed in range(seeds):
        train, test = drawn(seed)

        def error(taught: TaskSet, test: TaskSet = test) -> float:
            return float(errors(learner.fit(taught).parameters, test)["nmse"][list(TARGETS)].mean())

        found.setdefault("clean", []).append(error(train))
        box = Box.around(train)
        if half is not None:
            box = Box(np.full(train.dimension, -half), np.full(train.dimension, half))
        for mode, attacked in ((Mode.DIRECT, TARGETS), (Mode.INDIRECT, OTHERS)):
            for method in Method:
                goal = Goal(TARGETS, attacked, 0.2, box)
                given = inject(method, Patom(iterations=iterations, seed=seed), learner, train, goal)
                found.setdefault(f"{method} {mode}", []).append(error(train.with_points(given)))
    return found


def compared(values: list[float], pilot: float | None) -> dict[str, Any]:
    """The mean with its interval, where a mean of three new seeds lies, and whether the pilot's is there."""
    estimate, n = Estimate.of(values), len(values)
    reach = float(student.ppf(0.975, n - 1) * np.std(values, ddof=1) * np.sqrt(1 / n + 1 / PILOT_SEEDS))
    mean = float(np.mean(values))
    known = None if pilot is None else bool(abs(mean - pilot) <= reach)
    return {"mean": mean, "low": estimate.low, "high": estimate.high, "reach": reach, "pilot": pilot, "inside": known}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=50)
    options = parser.parse_args()
    begin = time.process_time()
    grid = []
    for relation, half in PLACES:
        found = run(relation, half, options.seeds, options.iterations)
        rows = {name: compared(values, PILOT.get(name)) for name, values in found.items()}
        grid.append({"points": POINTS, "relation": relation, "half_box": half, "rows": rows})
        shown = {name: (round(row["mean"], 3), row["inside"]) for name, row in rows.items()}
        print(relation, half, shown, flush=True)
    write_json(
        HERE / "pilot.json",
        {
            "command": f"pilot.py --seeds {options.seeds} --iterations {options.iterations}",
            "pilot": PILOT, "processor_seconds": round(time.process_time() - begin), "grid": grid,
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()

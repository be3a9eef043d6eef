"""One cell of an experiment: attack, learn anew, measure."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mtlattack.poisoning.baselines import inject
from mtlattack.poisoning.budget import Mode
from mtlattack.poisoning.defences import FILTERS, DriftAlarm, resample
from mtlattack.poisoning.experiment.plan import ALARM, Cell, Plan, Sides, sides_of
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.metrics import errors
from mtlattack.poisoning.newton import Solution
from mtlattack.poisoning.patom import Goal
from mtlattack.poisoning.relations import LearnedAt, correlation
from mtlattack.poisoning.splitting import Split, split_tasks
from mtlattack.poisoning.tasks import Points, TaskSet

ALARM_CHECKS = 10
"""How many clean resamples an alarm is tried on, to see how often it is false."""


@dataclass(frozen=True)
class Outcome:
    """Numbers of a cell (JSON), its task correlations `[T, T]`, and the points in the table's own units."""

    numbers: dict[str, Any]
    correlations: Array
    points: dict[int, Points]


class Trial:
    """A seed: its split, its sides, and cells on these."""

    def __init__(self, plan: Plan, tasks: TaskSet, seed: int) -> None:
        self.plan, self.seed = plan, seed
        self.split: Split = split_tasks(tasks, seed, plan.test_share)
        self.sides: Sides = sides_of(plan, tasks, seed)

    def goal(self, mode: Mode, budget: float | int) -> Goal:
        """Who attacks whom, with how much, where."""
        feasible = self.plan.feasible(self.split.train)
        return Goal(self.sides.targets, self.sides.attacked[mode], budget, feasible)

    def run(self, cell: Cell) -> Outcome:
        """The cell's attack, and what it does."""
        points: dict[int, Points] = {}
        begin = time.perf_counter()
        if cell.mode is not None and cell.method is not None and cell.budget is not None:
            goal = self.goal(cell.mode, cell.budget)
            points = inject(cell.method, self.plan.attack(self.seed), self.plan.learner, self.split.train, goal)
        return self.judge(cell, points, time.perf_counter() - begin)

    def judge(self, cell: Cell, points: Mapping[int, Points], seconds: float) -> Outcome:
        """What these points, in the split's units, do to a victim that learns from nothing by its own solver."""
        plan, train = self.plan, self.split.train
        taught = train.with_points(points)
        solution = self._learn(taught)
        penalty = solution.at.penalty
        assert isinstance(penalty, LearnedAt)
        correlations = correlation(penalty.covariance)
        clean = plan.learner.data(train).losses(solution.parameters)[list(self.sides.targets)]
        names = train.names
        numbers = {
            "key": cell.key,
            "seed": cell.seed,
            "mode": cell.mode,
            "method": cell.method,
            "budget": cell.budget,
            "targets": [names[i] for i in self.sides.targets],
            "attacked": [names[i] for i in self.sides.attacked[cell.mode]] if cell.mode else [],
            "injected": sum(len(y) for _, y in points.values()),
            "utility": float(clean.sum()),
            "errors": _listed(errors(solution.parameters, self.split.test)),
            "victim_stationarity": solution.stationarity,
            "victim_iterations": solution.iterations,
            "attack_seconds": round(seconds, 3),
            "defended": {name: self._defended(name, taught) for name in plan.defences if name != ALARM},
        }
        if ALARM in plan.defences:
            numbers["alarm"] = self._alarmed(points)
        original = {task: self.split.units.original(task, each) for task, each in points.items()}
        return Outcome(numbers, correlations, original)

    def _learn(self, tasks: TaskSet) -> Solution:
        plan = self.plan
        return plan.learner.fit(tasks, plan.victim, plan.victim_tolerance, plan.victim_most)

    def _defended(self, name: str, taught: TaskSet) -> dict[str, Any]:
        """Errors after learning from what a filter keeps, and what it dropped of clean and of injected points."""
        kept = FILTERS.get(name)().keep(self.plan.learner, taught)
        clean = self.split.train.sizes
        dropped = [sum(int((~mask[:n]).sum()) for mask, n in zip(kept, clean, strict=True))]
        dropped.append(sum(int((~mask[n:]).sum()) for mask, n in zip(kept, clean, strict=True)))
        injected = sum(taught.sizes) - sum(clean)
        solution = self._learn(taught.only(kept))
        return {
            "errors": _listed(errors(solution.parameters, self.split.test)),
            "dropped_clean": dropped[0] / sum(clean),
            "dropped_injected": dropped[1] / injected if injected else None,
        }

    @cached_property
    def _alarm(self) -> DriftAlarm:
        return DriftAlarm.calibrate(self.plan.learner, self.split.train, self.seed)

    def _alarmed(self, points: Mapping[int, Points]) -> dict[str, Any]:
        """Drifts, over the threshold, of new data: clean resamples, with the injected points among them."""
        generator = np.random.default_rng([self.seed, 0xC1EA])
        learner = self.plan.learner
        batches = [resample(self.split.train, generator).with_points(points) for _ in range(ALARM_CHECKS)]
        drifts = [self._alarm.drift(learner, batch) for batch in batches]
        return {"drifts": drifts, "raised": float(np.mean(np.array(drifts) > 1))}


def _listed(found: Mapping[str, Array]) -> dict[str, Sequence[float | None]]:
    """NaN is null in JSON."""
    return {name: [None if np.isnan(v) else float(v) for v in values] for name, values in found.items()}

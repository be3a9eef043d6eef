"""Skill: how much better than the best constant answer a prediction is, 1 perfect, 0 no better than a constant.

It ranks models because it cannot be bought: one that says the same of every image has none, a monotone change of the
logits changes nothing, and no task counts for more than its share.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mtlattack.analysis.change import weighted_metrics
from mtlattack.analysis.resampling import Array, Weights
from mtlattack.evidence import Evidence
from mtlattack.tasks import Task

Metrics = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class Skill:
    """Each number `[R]`, one value a row of the resampling weights: `tasks` by name (below 0 where a constant is
    better), `mean` over them and `worst` of them, both with what is below 0 counted as 0; NaN where undefined."""

    tasks: dict[str, Array]
    mean: Array
    worst: Array

    @property
    def worst_task(self) -> str | None:
        """The task with the least skill on the images as they are, the first of equals; None where none has any."""
        values = {name: float(skill[0]) for name, skill in self.tasks.items() if np.isfinite(skill[0])}
        return min(values, key=values.__getitem__) if values else None


def constant_metrics(evidence: Evidence, weights: Weights) -> Metrics | None:
    """Metrics of the best constant answers by task and name, `[R]` each, under `weights` `[R, N]`; None for evidence
    that holds none."""
    if evidence.constant is None:
        return None
    return weighted_metrics(evidence.constant, evidence.tasks, weights)


def measure_skill(metrics: Metrics, constant: Metrics, tasks: Mapping[str, Task]) -> Skill:
    """Skill of predictions with these metrics over constants with those, each by the headline metric of its task."""
    by_task = {
        name: task.skill(metrics[name][task.headline], constant[name][task.headline]) for name, task in tasks.items()
    }
    stacked = np.stack(list(by_task.values()))
    defined = np.isfinite(stacked)
    counted = np.where(defined, np.maximum(stacked, 0), 0)
    mean = np.divide(counted.sum(0), defined.sum(0), out=np.full(stacked.shape[1], np.nan), where=defined.any(0))
    return Skill(by_task, mean, np.fmin.reduce(np.maximum(stacked, 0)))

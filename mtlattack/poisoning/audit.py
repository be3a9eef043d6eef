"""Injected points, looked at by someone who did not make them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mtlattack.poisoning.budget import injected_counts
from mtlattack.poisoning.feasible import Ball, Feasible
from mtlattack.poisoning.labels import Labels, label_range
from mtlattack.poisoning.losses import Array, Mask
from mtlattack.poisoning.patom import Goal
from mtlattack.poisoning.tasks import Kind, Points, TaskSet

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Finding:
    """A rule that some points break."""

    task: str
    rule: str
    points: int


def audit(tasks: TaskSet, goal: Goal, points: Mapping[int, Points], labels: Labels) -> list[Finding]:
    """Which rules of the attack the points break: where they may go, how many, how far, with which labels.

    Empty for all that attacks of ours give. In a ball each point must be near some clean point of its task.
    """
    counts = injected_counts(tasks, goal.attacked, goal.budget)
    found = []
    for task, (x, y) in points.items():
        clean_x, clean_y = tasks.points[task]
        low, high = label_range(tasks, task)
        allowed = np.isin(y, (0, 1)) if tasks.kind is Kind.CLASSIFICATION else (y >= low) & (y <= high)
        if labels is not Labels.OPTIMISED:
            known = clean_y if labels is Labels.FIXED else np.array([low, high])
            allowed &= np.abs(y[:, None] - known).min(1) <= _ROUNDING * (1 + high - low)
        broken = {
            "in a task that is not attacked": 0 if task in counts else len(y),
            "beyond the budget": max(0, len(y) - counts.get(task, len(y))),
            "outside the feasible set": int((~_reached(goal.feasible, x, clean_x)).sum()),
            "with a label that is not allowed": int((~allowed).sum()),
        }
        found += [Finding(tasks.names[task], rule, count) for rule, count in broken.items() if count]
    return found


def _reached(feasible: Feasible, x: Array, clean: Array) -> Mask:
    slack = _ROUNDING * (1 + np.abs(x).max(initial=0))
    anchors = x
    if isinstance(feasible, Ball):
        nearest = np.array([np.argmin(((clean - point) ** 2).sum(1)) for point in x], np.intp)
        anchors = clean[nearest]
    return np.abs(feasible.project(x, anchors) - x).max(1) <= slack

"""What an attacker does who knows no gradient."""

from enum import StrEnum

import numpy as np

from mtlattack.poisoning.budget import injected_counts
from mtlattack.poisoning.labels import Labels, flip, label_range
from mtlattack.poisoning.learner import Learner
from mtlattack.poisoning.patom import Goal, Patom, draw_start
from mtlattack.poisoning.tasks import Points, TaskSet


class Method(StrEnum):
    """How injected points come about: PATOM; drawn at random in reach, labels of clean points; clean points flipped."""

    PATOM = "patom"
    RANDOM = "random"
    FLIP = "flip"


def inject(method: Method, attack: Patom, learner: Learner, tasks: TaskSet, goal: Goal) -> dict[int, Points]:
    """Points `[m, d]` and labels `[m]` by task. Random ones are those that the attack with this seed begins with."""
    if method is Method.PATOM:
        return dict(attack(learner, tasks, goal).points)
    generator = np.random.default_rng([attack.seed, 0])
    if method is Method.RANDOM:
        return draw_start(tasks, goal, Labels.FIXED, generator).points
    return _flipped(tasks, goal, generator)


def _flipped(tasks: TaskSet, goal: Goal, generator: np.random.Generator) -> dict[int, Points]:
    points = {}
    for task, count in injected_counts(tasks, goal.attacked, goal.budget).items():
        x, y = tasks.points[task]
        rows = generator.choice(len(y), count, replace=count > len(y))
        points[task] = x[rows], flip(y[rows], *label_range(tasks, task))
    return points

"""Small related tasks: weights of rank two, as in the pilot of PATOM's reconstruction."""

import numpy as np
from numpy.typing import NDArray

from mtlattack.poisoning import Box, Goal, TaskSet, make_tasks

Array = NDArray[np.float64]


def toy_tasks(kind: str = "regression", tasks: int = 4, dimension: int = 5, points: int = 30, seed: int = 0) -> TaskSet:
    """Labels are w_i·x with noise 0.3, w_i of length 1 and all in one plane; of classification its sign."""
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=(dimension, 2)) @ generator.normal(size=(2, tasks))
    weights /= np.linalg.norm(weights, axis=0)
    made = []
    for column in weights.T:
        x = generator.normal(size=(points, dimension))
        response = x @ column + 0.3 * generator.normal(size=points)
        made.append((x, response if kind == "regression" else (response > 0).astype(float)))
    return make_tasks(kind, made)


def toy_goal(tasks: TaskSet, targets: tuple[int, ...] = (0, 1), attacked: tuple[int, ...] = (2, 3)) -> Goal:
    """A fifth of the points, in the box of all of them."""
    return Goal(targets, attacked, 0.2, Box.around(tasks))

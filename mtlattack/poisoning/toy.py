"""Related tasks drawn at random, to try things on: the weights of all lie in a space of few dimensions."""

import numpy as np

from mtlattack.poisoning.tasks import Kind, TaskSet, make_tasks


def draw_tasks(
    kind: Kind | str = Kind.REGRESSION,
    tasks: int = 6,
    dimension: int = 10,
    points: int = 50,
    seed: int = 0,
    *,
    rank: int = 2,
    noise: float = 0.3,
) -> TaskSet:
    """Labels are w_i·x + `noise`·ε, of classification whether that is above 0; x and ε are standard normal, the w_i of
    length 1 and all of them in one space of `rank` dimensions."""
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=(dimension, rank)) @ generator.normal(size=(rank, tasks))
    weights /= np.linalg.norm(weights, axis=0)
    made = []
    for column in weights.T:
        x = generator.normal(size=(points, dimension))
        response = x @ column + noise * generator.normal(size=points)
        made.append((x, response if Kind(kind) is Kind.REGRESSION else (response > 0).astype(float)))
    return make_tasks(kind, made)

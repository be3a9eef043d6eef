"""The paper's solver: W given Ω, then Ω given W, in turn (Zhang & Yeung 2010, section 2.3)."""

import numpy as np

from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.newton import Solution, minimise, scale_of
from mtlattack.poisoning.objective import Objective
from mtlattack.poisoning.relations import Fixed, Learned, LearnedAt

_INNER = 0.1  # of the stationarity so far: closer is lost when Ω moves


def alternate(objective: Objective, start: Array, tolerance: float, most: int = 2000) -> Solution:
    """The minimum of an objective with a `Learned` penalty, by turns, from Ω = I/T.

    Every turn lowers F. Where W is nearly of low rank the turns gain little: thousands may not suffice for a small
    smoothing.
    """
    assert isinstance(objective.penalty, Learned)
    strength = objective.penalty.strength
    count = start.shape[1]
    scale = scale_of(objective, start)
    penalty = Fixed(strength, np.full(count, 1 / count), np.eye(count))
    parameters, stationarity = start, 1.0
    turns = 0
    while turns < most:
        turns += 1
        given = Objective(objective.data, penalty, objective.ridge, objective.dimension)
        closer = max(_INNER * min(stationarity, 1.0), tolerance) * _INNER
        parameters = minimise(given, parameters, closer, scale=scale).parameters
        here = objective.at(parameters)
        stationarity = float(np.linalg.norm(here.gradient)) / scale
        if stationarity <= tolerance:
            break
        assert isinstance(here.penalty, LearnedAt)
        penalty = here.penalty.as_fixed()
    return Solution(here, stationarity, turns)

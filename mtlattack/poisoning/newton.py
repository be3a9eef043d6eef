"""The exact solver: Newton's method with conjugate gradients."""

from dataclasses import dataclass

import numpy as np

from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.objective import Objective, ObjectiveAt

_SUFFICIENT = 1e-4  # of the decrease that the slope promises (Armijo)
_SHORTEST = 1e-10


@dataclass(frozen=True)
class Solution:
    """Where a solver ended: `stationarity` is ‖∇F‖ over max(1, ‖∇F(0)‖)."""

    at: ObjectiveAt
    stationarity: float
    iterations: int

    @property
    def parameters(self) -> Array:
        """`[D, T]`."""
        return self.at.parameters


def minimise(
    objective: Objective, start: Array, tolerance: float, most: int = 200, scale: float | None = None
) -> Solution:
    """The minimum, from `start` `[D, T]`, to a stationarity of `tolerance`; `scale` is `scale_of` it, where known.

    Ends before where rounding leaves nothing to gain, or after `most` steps: look at the stationarity.
    """
    scale = scale or scale_of(objective, start)
    here = objective.at(start)
    for step in range(most):
        size = float(np.linalg.norm(here.gradient))
        if size <= tolerance * scale:
            return Solution(here, size / scale, step)
        # Loosely far away, tightly close by: converges faster than linearly, and no work is lost on a rough model.
        relative = min(0.1, np.sqrt(size / scale))
        direction = here.solve(-here.gradient, max(relative, 1e-12))
        there = _search(objective, here, direction)
        if there is None:
            return Solution(here, size / scale, step)
        here = there
    return Solution(here, float(np.linalg.norm(here.gradient)) / scale, most)


def scale_of(objective: Objective, like: Array) -> float:
    """max(1, ‖∇F(0)‖): what stationarity is measured by; the same for all penalties, whose slope at 0 is none."""
    return max(1.0, float(np.linalg.norm(objective.at(np.zeros_like(like)).gradient)))


def _search(objective: Objective, here: ObjectiveAt, direction: Array) -> ObjectiveAt | None:
    """The first of the lengths 1, ½, ¼, … that lowers F enough or, where its changes drown in rounding, ‖∇F‖."""
    slope = float(np.vdot(here.gradient, direction))
    size = float(np.linalg.norm(here.gradient))
    resolution = 16 * np.finfo(np.float64).eps * max(abs(here.value), 1e-300)
    length = 1.0
    while length > _SHORTEST:
        there = objective.at(here.parameters + length * direction)
        change = there.value - here.value
        if change <= _SUFFICIENT * length * slope and -change > resolution:
            return there
        if abs(change) <= resolution and float(np.linalg.norm(there.gradient)) < 0.9 * size:
            return there
        length /= 2
    return None

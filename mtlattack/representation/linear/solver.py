"""Many small minimisations at once: L-BFGS whose rows know nothing of each other."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_ARMIJO = 1e-4
_HALVINGS = 25
# A row has ended after so many steps in a row that gain less than the tolerance.
_PATIENCE = 3


@dataclass(frozen=True)
class Minimum:
    """Where `[S, P]` each row ended, its value `[S]`, whether it `converged` `[S]`, and the steps that were taken."""

    point: Tensor
    value: Tensor
    converged: Tensor
    steps: int


def minimise(
    objective: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    steps: int = 500,
    tolerance: float = 1e-7,
    memory: int = 10,
) -> Minimum:
    """Minimise `objective` `[S, P]` → `[S]`, row by row, from `start` (Nocedal and Wright 2006, algorithm 7.5).

    Steps are halved until they descend enough (Armijo); curvature that is not positive is not learned from. A row has
    converged when it gains less than `tolerance`, relative to its value, three steps in a row.
    """
    point = start.detach().clone()
    value, gradient = _evaluate(objective, point)
    history = _History(memory)
    idle = torch.zeros(len(point), dtype=torch.long)
    taken = 0
    while taken < steps and bool((idle < _PATIENCE).any()):
        active = idle < _PATIENCE
        direction = -history.apply(gradient)
        slope = (direction * gradient).sum(1)
        uphill = slope >= 0
        direction[uphill] = -gradient[uphill]
        slope = (direction * gradient).sum(1)
        moved, new_value, new_gradient, descended = _search(
            objective, point, value, gradient, direction, slope, active, first=taken == 0
        )
        history.add(moved - point, new_gradient - gradient, reset=active & ~descended)
        gained = value - new_value
        small = gained <= tolerance * new_value.abs().clamp_min(1e-12)
        idle = torch.where(active, torch.where(small, idle + 1, 0), idle)
        point, value, gradient = moved, new_value, new_gradient
        taken += 1
    return Minimum(point, value, idle >= _PATIENCE, taken)


def _search(
    objective: Callable[[Tensor], Tensor],
    point: Tensor,
    value: Tensor,
    gradient: Tensor,
    direction: Tensor,
    slope: Tensor,
    active: Tensor,
    first: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Point, value and gradient after a step that descends, and which rows have taken one; the others stay."""
    size = torch.ones_like(value)
    if first:
        size = (1 / torch.linalg.vector_norm(gradient, dim=1).clamp_min(1e-12)).clamp_max(1.0)
    best, best_value, best_gradient = point.clone(), value.clone(), gradient.clone()
    waiting = active.clone()
    for _ in range(_HALVINGS):
        trial = point + (size * waiting)[:, None] * direction
        trial_value, trial_gradient = _evaluate(objective, trial)
        good = waiting & (trial_value <= value + _ARMIJO * size * slope) & trial_gradient.isfinite().all(1)
        best[good], best_value[good], best_gradient[good] = trial[good], trial_value[good], trial_gradient[good]
        waiting &= ~good
        if not bool(waiting.any()):
            break
        size = torch.where(waiting, size / 2, size)
    return best, best_value, best_gradient, active & ~waiting


class _History:
    """The last steps and changes of the gradient, and what they say of the inverse Hessian."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._pairs: list[tuple[Tensor, Tensor, Tensor]] = []
        self._scale: Tensor | None = None

    def add(self, step: Tensor, change: Tensor, reset: Tensor) -> None:
        """Learn from a step; rows in `reset` forget everything."""
        curvature, length = (step * change).sum(1), change.square().sum(1)
        sound = curvature > 1e-10 * length
        inverse = torch.where(sound, 1 / torch.where(sound, curvature, 1.0), 0.0)
        scale = torch.where(sound, curvature / torch.where(sound, length, 1.0), 1.0)
        self._scale = scale if self._scale is None else torch.where(sound, scale, self._scale)
        self._scale = torch.where(reset, 1.0, self._scale)
        self._pairs = [(s, y, torch.where(reset, 0.0, rho)) for s, y, rho in self._pairs]
        self._pairs = [*self._pairs, (step, change, inverse)][-self._memory :]

    def apply(self, gradient: Tensor) -> Tensor:
        """The inverse Hessian times the gradient (algorithm 7.4)."""
        if self._scale is None:
            return gradient.clone()
        result, weights = gradient.clone(), []
        for step, change, inverse in reversed(self._pairs):
            weight = inverse * (step * result).sum(1)
            result -= weight[:, None] * change
            weights.append(weight)
        result *= self._scale[:, None]
        for (step, change, inverse), weight in zip(self._pairs, reversed(weights), strict=True):
            result += (weight - inverse * (change * result).sum(1))[:, None] * step
        return result


def _evaluate(objective: Callable[[Tensor], Tensor], point: Tensor) -> tuple[Tensor, Tensor]:
    leaf = point.detach().requires_grad_()
    value = objective(leaf)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient

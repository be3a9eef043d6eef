"""Many small minimisations at once: L-BFGS whose rows know nothing of each other."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_ARMIJO = 1e-4
_SHORTENINGS = 25
# A row has ended after so many steps in a row that gain less than the tolerance.
_PATIENCE = 3


@dataclass(frozen=True)
class Minimum:
    """Where `[S, P]` each row ended, its value `[S]`, whether it `converged` `[S]`, and the evaluations of all rows."""

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

    Each of at most `steps` evaluations tries one step of every row: a row whose step descends enough (Armijo) takes it
    and turns to its next direction, another one shortens it, so that no row waits for a harder one. Curvature that is
    not positive is not learned from. A row has converged when it gains less than `tolerance`, relative to its value,
    three steps in a row.
    """
    point = start.detach().clone()
    value, gradient = _evaluate(objective, point)
    history = _History(memory, point)
    direction, slope, size = history.propose(gradient)
    idle, shortened = (torch.zeros(len(point), dtype=torch.long) for _ in range(2))
    taken = 0
    while taken < steps and bool((idle < _PATIENCE).any()):
        active = idle < _PATIENCE
        trial = point + (size * active)[:, None] * direction
        trial_value, trial_gradient = _evaluate(objective, trial)
        taken += 1
        good = active & (trial_value <= value + _ARMIJO * size * slope) & trial_gradient.isfinite().all(1)
        scale = tolerance * value.abs().clamp_min(1e-12)
        small = value - trial_value <= scale
        # A step that is expected to gain next to nothing is not shortened any more.
        hopeless = active & ~good & ((shortened >= _SHORTENINGS) | (-size * slope <= 0.1 * scale))
        idle = torch.where(good, torch.where(small, idle + 1, 0), idle + hopeless.long())
        history.add(trial - point, trial_gradient - gradient, good)
        history.forget(hopeless)
        shorter = _shorter(size, slope, trial_value - value)
        point, gradient = (torch.where(good[:, None], *pair) for pair in ((trial, point), (trial_gradient, gradient)))
        value = torch.where(good, trial_value, value)
        turns = good | hopeless
        next_direction, next_slope, next_size = history.propose(gradient)
        direction = torch.where(turns[:, None], next_direction, direction)
        slope, size = torch.where(turns, next_slope, slope), torch.where(turns, next_size, shorter)
        shortened = torch.where(turns, 0, shortened + 1)
    return Minimum(point, value, idle >= _PATIENCE, taken)


def _shorter(size: Tensor, slope: Tensor, rise: Tensor) -> Tensor:
    """Where a parabola through value, slope and the `rise` has its minimum, a tenth to a half of the size."""
    found = -slope * size.square() / (2 * (rise - slope * size))
    return torch.where(found.isfinite(), found, 0.0).clamp(0.1 * size, 0.5 * size)


class _History:
    """Each row's last steps and changes of the gradient, `[memory, S, P]`, and what they say of the inverse Hessian."""

    def __init__(self, memory: int, like: Tensor) -> None:
        self._steps, self._changes = (like.new_zeros(memory, *like.shape) for _ in range(2))
        self._inverses = like.new_zeros(memory, len(like))
        self._scale = like.new_ones(len(like))
        self._empty = torch.ones(len(like), dtype=torch.bool)

    def add(self, step: Tensor, change: Tensor, rows: Tensor) -> None:
        """Let some `rows` learn from a step."""
        curvature, length = (step * change).sum(1), change.square().sum(1)
        sound = rows & (curvature > 1e-10 * length)
        if not bool(sound.any()):
            return
        inverse = 1 / torch.where(sound, curvature, 1.0)
        self._steps = _pushed(self._steps, step, sound)
        self._changes = _pushed(self._changes, change, sound)
        self._inverses = _pushed(self._inverses, inverse, sound)
        self._scale = torch.where(sound, curvature / torch.where(sound, length, 1.0), self._scale)
        self._empty &= ~sound

    def forget(self, rows: Tensor) -> None:
        """Let some rows forget everything."""
        self._inverses[:, rows] = 0.0
        self._scale[rows] = 1.0
        self._empty |= rows

    def propose(self, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Directions, slopes along them, and the sizes to be tried first: at most 1 in length for a row that knows
        nothing."""
        direction = -self._apply(gradient)
        uphill = (direction * gradient).sum(1) >= 0
        direction = torch.where(uphill[:, None], -gradient, direction)
        short = (1 / torch.linalg.vector_norm(gradient, dim=1).clamp_min(1e-12)).clamp_max(1.0)
        size = torch.where(self._empty | uphill, short, 1.0)
        return direction, (direction * gradient).sum(1), size

    def _apply(self, gradient: Tensor) -> Tensor:
        """The inverse Hessian times the gradient (algorithm 7.4)."""
        result, weights = gradient.clone(), []
        pairs = list(zip(self._steps, self._changes, self._inverses, strict=True))
        for step, change, inverse in reversed(pairs):
            weight = inverse * (step * result).sum(1)
            result -= weight[:, None] * change
            weights.append(weight)
        result *= self._scale[:, None]
        for (step, change, inverse), weight in zip(pairs, reversed(weights), strict=True):
            result += (weight - inverse * (change * result).sum(1))[:, None] * step
        return result


def _pushed(kept: Tensor, new: Tensor, rows: Tensor) -> Tensor:
    """`kept` `[M, S, …]` without its oldest and with `new` `[S, …]` at its end, in some rows."""
    shape = (1, len(rows), *[1] * (new.ndim - 1))
    return torch.where(rows.view(shape), torch.cat([kept[1:], new[None]]), kept)


def _evaluate(objective: Callable[[Tensor], Tensor], point: Tensor) -> tuple[Tensor, Tensor]:
    leaf = point.detach().requires_grad_()
    value = objective(leaf)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient

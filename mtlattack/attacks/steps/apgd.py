"""APGD: a step size for each image, halved where it stops paying."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.balls import Ball
from mtlattack.attacks.norms import overwrite, per_image
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.steps.base import Best
from mtlattack.attacks.steps.registry import STEPS
from mtlattack.attacks.steps.tracked import TrackedRule, closed, with_momentum
from mtlattack.errors import InputError

_RISES = 0.75


@STEPS.register("apgd")
@dataclass(frozen=True, kw_only=True)
class APGD(TrackedRule):
    """Auto-PGD (Croce & Hein 2020, arXiv 2003.01690, algorithm 1), every decision taken for each image by itself.

    Unlike there, a step size that still pays is halved too, at every second checkpoint and the first: in few steps the
    paper's rule, `halve_steadily=False`, ends before its steps are small. Both go back to the best point when halving.

    The first step is the ball's `diameter`, 2ε but in l_0. A run of K steps costs K forward and backward passes and one
    closing forward pass.
    """

    kind: ClassVar[str] = "apgd"

    halve_steadily: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.halve_steadily, bool):
            raise InputError(f"halve_steadily {self.halve_steadily!r} is neither true nor false")

    def climb(self, objective: Objective, ball: Ball, points: Tensor) -> Best:
        before = points
        objective.begin(self.steps)
        score, gradient = objective.gradient(points)
        best, best_gradient = Best(points, score), gradient.clone()
        step = torch.full_like(score, self.first_step(ball))
        rises = torch.zeros_like(score)
        checkpoint, halved, best_at_checkpoint = 0, torch.zeros_like(score, dtype=torch.bool), score
        checkpoints = frozenset(_checkpoints(self.steps))
        for k in range(1, self.steps):
            before, points = points, _next(ball, points, before, gradient, step)
            previous = score
            score, gradient = objective.gradient(points)
            rises += score > previous
            overwrite(best_gradient, score > best.score, gradient)
            best.offer(points, score)
            if k in checkpoints:
                few_rises = rises < _RISES * (k - checkpoint)
                stuck = best.score == best_at_checkpoint
                halved = few_rises | ~halved & (stuck | self.halve_steadily)
                step = torch.where(halved, step / 2, step)
                overwrite(points, halved, best.points)
                gradient = gradient.clone()  # An aggregator may remember the one that it gave.
                overwrite(gradient, halved, best_gradient)
                score = torch.where(halved, best.score, score)
                checkpoint, best_at_checkpoint, rises = k, best.score, torch.zeros_like(rises)
        return closed(objective, best, _next(ball, points, before, gradient, step))


def _next(ball: Ball, points: Tensor, before: Tensor, gradient: Tensor, step: Tensor) -> Tensor:
    target = ball.project(torch.addcmul(points, per_image(step), ball.steepest(gradient)))
    return with_momentum(ball, target, points, before)


def _checkpoints(steps: int) -> Iterator[int]:
    """Steps after which the step size is judged: the first width is .22 of all, then .03 less each, never below .06."""
    width, shrink, least = (max(int(part * steps), 1) for part in (0.22, 0.03, 0.06))
    at = width
    while at < steps:
        yield at
        width = max(width - shrink, least)
        at += width

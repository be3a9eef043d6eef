"""What the rules share that keep the best point on their way: apgd, decay and adam."""

from abc import abstractmethod
from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from mtlattack.attacks.balls import Ball, Lengths
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.steps.base import Best, StepRule

_MOMENTUM = 0.75


@dataclass(frozen=True, kw_only=True)
class TrackedRule(StepRule):
    """The best point of each image is returned. The gradient pass at a point is its evaluation.

    A run of K steps costs K forward and backward passes and one closing forward pass. The first run starts at the clean
    image: as the search scores them, no image ends below it.
    """

    steps: int = 20
    step_size: float | None = None
    restarts: int = 1

    @abstractmethod
    def climb(self, objective: Objective, ball: Ball, points: Tensor) -> Best:
        """The best of a run from `points` `[B, 3, H, W]`, as `closed` gives it."""

    def first_step(self, lengths: Lengths) -> float:
        return self.step_size or lengths.diameter

    def cost(self, backward_passes: int) -> Cost:
        return Cost(self.restarts * (self.steps + 1), self.restarts * self.steps * backward_passes)

    @property
    def searched_points(self) -> int:
        return self.restarts

    def run(self, objective: Objective, ball: Ball, noise: Noise) -> Tensor:
        best = self.climb(objective, ball, ball.random_start(noise, 0) if objective.flat_at_clean else ball.images)
        for restart in range(1, self.restarts):
            other = self.climb(objective, ball, ball.random_start(noise, restart))
            best.offer(other.points, other.score)
        return best.points


class PathRule(TrackedRule):
    """A tracked rule whose way depends on the gradients alone, not on the scores."""

    @abstractmethod
    def path(self, ball: Ball, points: Tensor) -> Generator[Tensor, Tensor, None]:
        """Yields K + 1 points from `points` on, each `[B, 3, H, W]`, and is sent the gradient at each but the last."""

    def climb(self, objective: Objective, ball: Ball, points: Tensor) -> Best:
        objective.begin(self.steps)
        path = self.path(ball, points)
        score, gradient = objective.gradient(next(path))
        best = Best(points, score)
        for _ in range(1, self.steps):
            points = path.send(gradient)
            score, gradient = objective.gradient(points)
            best.offer(points, score)
        return closed(objective, best, path.send(gradient))


def closed(objective: Objective, best: Best, last: Tensor) -> Best:
    """The best point, scored by the model itself, or the last of the run if that is better."""
    best.score = objective.judged(best.points, best.score)
    best.offer(last, objective.score(last))
    return best


def with_momentum(ball: Ball, target: Tensor, points: Tensor, before: Tensor) -> Tensor:
    """Three quarters of the way from `points` to `target`, and on by a quarter of the step from `before`, in the ball
    (Croce & Hein 2020, arXiv 2003.01690, algorithm 1); `target` itself where `before` is `points`."""
    if before is points:
        return target
    # points + m·(target − points) + (1 − m)·(points − before), in as few passes over memory as it takes.
    return ball.project(torch.lerp(before, points, 2.0).lerp_(target, _MOMENTUM))

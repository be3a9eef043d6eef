"""Noise: what a perturbation does that knows nothing of the model."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.balls import Ball, Lengths
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.steps.base import Best, StepRule
from mtlattack.attacks.steps.registry import STEPS


@STEPS.register("noise")
@dataclass(frozen=True, kw_only=True)
class RandomNoise(StepRule):
    """The best of `restarts` points Π(x + ρ·steepest(u)), u random, ρ the ball's radius: for l_inf its corners; ours.

    What an attack must beat to be one. Costs one forward pass a point, no backward pass.
    """

    kind: ClassVar[str] = "noise"
    uses_gradients: ClassVar[bool] = False

    restarts: int = 10

    def first_step(self, lengths: Lengths) -> float:
        return lengths.radius

    def cost(self, backward_passes: int) -> Cost:
        return Cost(self.restarts, 0)

    def run(self, objective: Objective, ball: Ball, noise: Noise) -> Tensor:
        points = self._point(ball, noise, 0)
        best = Best(points, objective.score(points))
        for restart in range(1, self.restarts):
            points = self._point(ball, noise, restart)
            best.offer(points, objective.score(points))
        return best.points

    def _point(self, ball: Ball, noise: Noise, restart: int) -> Tensor:
        direction = noise.uniform(ball.images.shape[1:], restart).to(ball.images)
        return ball.project(torch.add(ball.images, ball.steepest(direction), alpha=ball.radius))

"""The loop that fgsm, bim, pgd and mim share, with three hooks: start, velocity, first_step."""

import torch
from torch import Tensor

from mtlattack.attacks.balls import Ball
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.steps.base import Best, StepRule


class IteratedRule(StepRule):
    """x ← Π(x + α·steepest(v)), v made of the gradients so far; the last x is returned.

    With restarts the last x of each is scored by one more forward pass, and every image keeps its best.
    """

    def start(self, ball: Ball, noise: Noise, restart: int) -> Tensor:
        """Where a run begins: the clean image, unless a rule says otherwise."""
        return ball.images

    def velocity(self, gradient: Tensor, previous: Tensor | None) -> Tensor:
        """Where to go, from this gradient and the last velocity (None at first): the gradient itself by default."""
        return gradient

    def run(self, objective: Objective, ball: Ball, noise: Noise) -> Tensor:
        flat = objective.flat_at_clean
        points = self._climb(objective, ball, ball.random_start(noise, 0) if flat else self.start(ball, noise, 0))
        if self.restarts == 1:
            return points
        best = Best(points, objective.score(points))
        for restart in range(1, self.restarts):
            points = self._climb(objective, ball, self.start(ball, noise, restart))
            best.offer(points, objective.score(points))
        return best.points

    def _climb(self, objective: Objective, ball: Ball, points: Tensor) -> Tensor:
        step, velocity = self.first_step(ball.eps), None
        objective.begin(self.steps)
        for _ in range(self.steps):
            _, gradient = objective.gradient(points)
            velocity = self.velocity(gradient, velocity)
            points = ball.project(torch.add(points, ball.steepest(velocity), alpha=step))
        return points

    def cost(self, backward_passes: int) -> Cost:
        gradients = self.restarts * self.steps
        scores = self.restarts if self.restarts > 1 else 0
        return Cost(gradients + scores, gradients * backward_passes)

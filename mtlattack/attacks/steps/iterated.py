"""The loop that fgsm, bim, pgd, mim and the rules for transfer share; what differs is in the hooks."""

import functools
from collections.abc import Iterable
from itertools import islice, repeat

import torch
from torch import Tensor

from mtlattack.attacks.balls import Ball
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective, View
from mtlattack.attacks.steps.base import Best, StepRule


class IteratedRule(StepRule):
    """x ← Π(x + α·steepest(v)), v made of the gradients so far; the last x is returned: K forward, K backward passes,
    times the looks that a step takes.

    With restarts the last x of each is scored by one more forward pass, and every image keeps its best.
    """

    @property
    def looks(self) -> int:
        """Of how many views the gradients are added up in a step; their common length has no meaning."""
        return 1

    def start(self, ball: Ball, noise: Noise, restart: int) -> Tensor:
        """Where a run begins: the clean image, unless a rule says otherwise."""
        return ball.images

    def ahead(self, ball: Ball, points: Tensor, previous: Tensor | None) -> Tensor:
        """Where the gradient is taken, given the last velocity (None at first): at the points by default."""
        return points

    def views(self, ball: Ball, noise: Noise, restart: int) -> Iterable[View | None]:
        """Through what the model sees the points of a run, `looks` of them a step: as they are by default."""
        return repeat(None)

    def velocity(self, gradient: Tensor, previous: Tensor | None) -> Tensor:
        """Where to go, from this gradient and the last velocity (None at first): the gradient itself by default."""
        return gradient

    def run(self, objective: Objective, ball: Ball, noise: Noise) -> Tensor:
        start = ball.random_start(noise, 0) if objective.flat_at_clean else self.start(ball, noise, 0)
        points = self.climb(objective, ball, start, noise, 0)
        if self.restarts == 1:
            return points
        best = Best(points, objective.score(points))
        for restart in range(1, self.restarts):
            points = self.climb(objective, ball, self.start(ball, noise, restart), noise, restart)
            best.offer(points, objective.score(points))
        return best.points

    def climb(self, objective: Objective, ball: Ball, points: Tensor, noise: Noise, restart: int) -> Tensor:
        """Where a run from `points` `[B, 3, H, W]` ends."""
        step, velocity = self.first_step(ball), None
        views = iter(self.views(ball, noise, restart))
        objective.begin(self.steps * self.looks)
        for _ in range(self.steps):
            ahead = self.ahead(ball, points, velocity)
            gradients = (objective.gradient(ahead, view)[1] for view in islice(views, self.looks))
            velocity = self.velocity(functools.reduce(torch.add, gradients), velocity)
            points = ball.project(torch.add(points, ball.steepest(velocity), alpha=step))
        return points

    def cost(self, backward_passes: int) -> Cost:
        gradients = self.restarts * self.steps * self.looks
        scores = self.restarts if self.restarts > 1 else 0
        return Cost(gradients + scores, gradients * backward_passes)

"""VMI-FGSM: the gradient, corrected by what it was around the last point."""

import functools
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.balls import Ball
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.options import check_positive, check_whole
from mtlattack.attacks.steps.mim import MIM
from mtlattack.attacks.steps.registry import STEPS


@STEPS.register("vmi")
@dataclass(frozen=True, kw_only=True)
class VMI(MIM):
    """MIM on ∇L(x_t) + V_t, V_{t+1} = (1/N) Σ_i ∇L(x_t + r_i) − ∇L(x_t), V_0 = 0, for N `neighbours` drawn uniformly
    from a ball `around` times as large (Wang & He 2021, arXiv 2103.15571, algorithm 1, there N = 20 and 1.5).

    Neighbours are brought into the box [0, 1]. Chance is by image, start, step and neighbour. The last step's variance
    is used by none: K steps cost K + (K − 1)·N forward and backward passes.
    """

    kind: ClassVar[str] = "vmi"
    norms: ClassVar[tuple[str, ...] | None] = ("linf", "l2", "l1")

    neighbours: int = 20
    around: float = 1.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("neighbours", self.neighbours)
        check_positive("around", self.around)

    def climb(self, objective: Objective, ball: Ball, points: Tensor, noise: Noise, restart: int) -> Tensor:
        step, velocity, variance = self.first_step(ball), None, torch.zeros_like(points)
        objective.begin(self._gradients)
        for k in range(self.steps):
            _, gradient = objective.gradient(points)
            velocity = self.velocity(gradient + variance, velocity)
            if k + 1 < self.steps:
                near = type(ball)(points, self.around * ball.eps)
                drawn = (near.random_start(noise.apart(f"vmi {k} {i}"), restart) for i in range(self.neighbours))
                total = functools.reduce(torch.add, (objective.gradient(point)[1] for point in drawn))
                variance = total / self.neighbours - gradient
            points = ball.project(torch.add(points, ball.steepest(velocity), alpha=step))
        return points

    @property
    def _gradients(self) -> int:
        """Of a run: those at its points, and around all but the last."""
        return self.steps + (self.steps - 1) * self.neighbours

    def cost(self, backward_passes: int) -> Cost:
        gradients = self.restarts * self._gradients
        scores = self.restarts if self.restarts > 1 else 0
        return Cost(gradients + scores, gradients * backward_passes)

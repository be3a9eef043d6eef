"""PGD: from random points, in steps that can cross the ball."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtlattack.attacks.balls import Ball, Lengths
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.steps.iterated import IteratedRule
from mtlattack.attacks.steps.registry import STEPS


@STEPS.register("pgd")
@dataclass(frozen=True, kw_only=True)
class PGD(IteratedRule):
    """Random start and restarts, steps of 2.5·ε/steps (Madry et al. 2018, arXiv 1706.06083)."""

    kind: ClassVar[str] = "pgd"

    steps: int = 20
    step_size: float | None = None
    restarts: int = 1

    def start(self, ball: Ball, noise: Noise, restart: int) -> Tensor:
        return ball.random_start(noise, restart)

    def first_step(self, lengths: Lengths) -> float:
        return self.step_size or 2.5 * lengths.radius / self.steps

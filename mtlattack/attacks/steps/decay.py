"""PGD with momentum and steps that shrink by a fixed schedule."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.balls import Ball, Lengths
from mtlattack.attacks.steps.registry import STEPS
from mtlattack.attacks.steps.tracked import PathRule, with_momentum

# Where the schedule ends, as a share of the first step.
_LAST = 1 / 16


@STEPS.register("decay")
@dataclass(frozen=True, kw_only=True)
class Decay(PathRule):
    """APGD's step and momentum, but step k of K is 2ε·(1/16)^((k−1)/(K−1)) long, the last as the one before it; ours.

    No look at the scores for the schedule, no way back to the best point; the best of each image is kept. `step_size`
    is the first step. A run of K steps costs K forward and backward passes and one closing forward pass.
    """

    kind: ClassVar[str] = "decay"

    def path(self, ball: Ball, points: Tensor) -> Generator[Tensor, Tensor, None]:
        before = points
        for length in self.lengths(ball):
            gradient = yield points
            target = ball.project(torch.add(points, ball.steepest(gradient), alpha=length))
            before, points = points, with_momentum(ball, target, points, before)
        yield points

    def lengths(self, ball: Lengths) -> list[float]:
        """The length of every step in a ball."""
        first, last = self.first_step(ball), max(self.steps - 1, 1)
        return [first * _LAST ** ((min(k, last) - 1) / last) for k in range(1, self.steps + 1)]

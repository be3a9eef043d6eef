"""NI-FGSM: the gradient is taken where the momentum leads."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.balls import Ball
from mtlattack.attacks.steps.mim import MIM
from mtlattack.attacks.steps.registry import STEPS


@STEPS.register("nim")
@dataclass(frozen=True, kw_only=True)
class NIM(MIM):
    """MIM with the gradient at x + α·μ·steepest(v), where momentum alone leads (Lin et al. 2020, arXiv 1908.06281).

    There it is taken at x + α·μ·v; the step along v instead is as long in every norm. Costs what MIM does.
    """

    kind: ClassVar[str] = "nim"

    def ahead(self, ball: Ball, points: Tensor, previous: Tensor | None) -> Tensor:
        if previous is None:
            return points
        return torch.add(points, ball.steepest(previous), alpha=self.first_step(ball) * self.momentum)

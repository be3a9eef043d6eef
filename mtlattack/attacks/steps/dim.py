"""DI²-FGSM: every gradient is taken through another look at the image."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from mtlattack.attacks.balls import Ball
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.options import check_fraction, check_share
from mtlattack.attacks.steps.mim import MIM
from mtlattack.attacks.steps.registry import STEPS
from mtlattack.attacks.views import Shrunk


@STEPS.register("dim")
@dataclass(frozen=True, kw_only=True)
class DIM(MIM):
    """MIM on ∇L(D(x)): at each step, with probability `diversity`, D makes the image smaller by a random factor from
    `smallest` to 1 and sets it at a random place on grey (Xie et al. 2019, arXiv 1803.06978, there .5 and .9).

    Dense predictions are brought back to where the labels are. Chance is by image, start and step. Costs what MIM does.
    """

    kind: ClassVar[str] = "dim"

    diversity: float = 0.5
    smallest: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction("diversity", self.diversity)
        check_share("smallest", self.smallest)

    def views(self, ball: Ball, noise: Noise, restart: int) -> Iterator[Shrunk]:
        draws = (noise.apart("dim").uniform((self.steps, 4), restart).to(ball.images) + 1) / 2
        for chance, share, top, left in draws.permute(1, 2, 0):
            size = self.smallest + (1 - self.smallest) * share
            yield Shrunk(torch.where(chance < self.diversity, size, 1.0), top, left)

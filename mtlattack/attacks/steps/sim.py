"""SI-FGSM: the gradient of darker copies of the image."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import ClassVar

from mtlattack.attacks.balls import Ball
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.options import check_whole
from mtlattack.attacks.steps.mim import MIM
from mtlattack.attacks.steps.registry import STEPS
from mtlattack.attacks.views import Darkened


@STEPS.register("sim")
@dataclass(frozen=True, kw_only=True)
class SIM(MIM):
    """MIM on (1/m) Σ_i ∇L(x/2^i), i = 0 … m − 1, for the m `copies` of the scale (Lin et al. 2020, arXiv 1908.06281).

    There m is 5, and the gradient is taken where `nim` takes it. Costs m times what MIM does: forward and backward
    passes are m a step.
    """

    kind: ClassVar[str] = "sim"

    copies: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("copies", self.copies)

    @property
    def looks(self) -> int:
        return self.copies

    def views(self, ball: Ball, noise: Noise, restart: int) -> Iterator[Darkened]:
        return cycle(Darkened(0.5**i) for i in range(self.copies))

"""Heavy ball: PGD along gradients that add up as they are."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtlattack.attacks.options import check_fraction
from mtlattack.attacks.steps.pgd import PGD
from mtlattack.attacks.steps.registry import STEPS


@STEPS.register("heavyball")
@dataclass(frozen=True, kw_only=True)
class HeavyBall(PGD):
    """v ← μ·v + g, from random points in PGD's steps: what Mao et al. (2020, arXiv 2007.07236) call MIM, with μ = ½.

    Unlike `mim` no gradient is normalised, so that a step counts by how steep it was.
    """

    kind: ClassVar[str] = "heavyball"

    momentum: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction("momentum", self.momentum)

    def velocity(self, gradient: Tensor, previous: Tensor | None) -> Tensor:
        return gradient if previous is None else self.momentum * previous + gradient

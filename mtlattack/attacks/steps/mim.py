"""MIM: steps along an accumulated gradient."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtlattack.attacks.balls import Lengths
from mtlattack.attacks.norms import normalise
from mtlattack.attacks.options import check_fraction
from mtlattack.attacks.steps.iterated import IteratedRule
from mtlattack.attacks.steps.registry import STEPS


@STEPS.register("mim")
@dataclass(frozen=True, kw_only=True)
class MIM(IteratedRule):
    """v ← μ·v + g/‖g‖₁ per image, steps of ε/steps (Dong et al. 2018, arXiv 1710.06081, eq. 6)."""

    kind: ClassVar[str] = "mim"

    steps: int = 20
    step_size: float | None = None
    momentum: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction("momentum", self.momentum)

    def velocity(self, gradient: Tensor, previous: Tensor | None) -> Tensor:
        unit = normalise(gradient, 1)
        return unit if previous is None else self.momentum * previous + unit

    def first_step(self, lengths: Lengths) -> float:
        return self.step_size or lengths.radius / self.steps

"""FGSM: one step to the edge of the ball."""

from dataclasses import dataclass
from typing import ClassVar

from mtlattack.attacks.balls import Lengths
from mtlattack.attacks.steps.iterated import IteratedRule
from mtlattack.attacks.steps.registry import STEPS


@STEPS.register("fgsm")
@dataclass(frozen=True, kw_only=True)
class FGSM(IteratedRule):
    """x + ε·sign(g), or x + ε·g/‖g‖ in l2 (Goodfellow et al. 2015, arXiv 1412.6572)."""

    kind: ClassVar[str] = "fgsm"

    def first_step(self, lengths: Lengths) -> float:
        return lengths.radius

"""BIM: FGSM in small steps."""

from dataclasses import dataclass
from typing import ClassVar

from mtlattack.attacks.balls import Lengths
from mtlattack.attacks.steps.iterated import IteratedRule
from mtlattack.attacks.steps.registry import STEPS


@STEPS.register("bim")
@dataclass(frozen=True, kw_only=True)
class BIM(IteratedRule):
    """From the clean image in steps of ε/steps (Kurakin et al. 2017, arXiv 1607.02533): the DGBA authors' setting."""

    kind: ClassVar[str] = "bim"

    steps: int = 20
    step_size: float | None = None

    def first_step(self, lengths: Lengths) -> float:
        return self.step_size or lengths.radius / self.steps

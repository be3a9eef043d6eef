"""AVERAGE: every task's gradient at unit length."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtlattack.attacks.aggregators.gram import GramAggregator, unit_diagonal
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.gradients import TaskGradients


@AGGREGATORS.register("average")
@dataclass(frozen=True, kw_only=True)
class Average(GramAggregator):
    """Follow Σ_i ∇L_i/‖∇L_i‖₂: equal lengths, per image; T backward passes a step.

    No loss function has this for a gradient, unlike dgba's Σ_i ∇L_i/L_i: a task near its peak, whose gradient is
    short, still counts in full.
    """

    kind: ClassVar[str] = "average"
    ascends_only: ClassVar[str] = ""

    def weights(self, gram: Tensor, gradients: TaskGradients) -> Tensor:
        return unit_diagonal(gram)[1]

"""MGDA: the shortest convex combination of the gradients."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtlattack.attacks.aggregators.gram import GramAggregator
from mtlattack.attacks.aggregators.nonnegative import shortest
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.gradients import TaskGradients


@AGGREGATORS.register("mgda")
@dataclass(frozen=True, kw_only=True)
class MGDA(GramAggregator):
    """argmin ‖Σ w_i g_i‖² over w ≥ 0, Σw = 1 (Désidéri 2012; Sener & Koltun 2018, arXiv 1810.04650, eq. 3).

    To first order every task gains alike, or more if its weight is zero: the least relative gain per length is as
    large as can be. The shortest gradient rules; where no direction helps all tasks the image stays. T backward passes
    a step. Solved by an interior point method in place of the paper's Frank–Wolfe steps.
    """

    kind: ClassVar[str] = "mgda"
    ascends_only: ClassVar[str] = ""

    def weights(self, gram: Tensor, gradients: TaskGradients) -> Tensor:
        return shortest(gram)

"""RELATIVE: the mean relative loss change itself."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import LinearAggregator
from mtlattack.attacks.aggregators.registry import AGGREGATORS


@AGGREGATORS.register("relative")
@dataclass(frozen=True, kw_only=True)
class Relative(LinearAggregator):
    """Ascend (1/T) Σ_i L_i(x')/L_i(x), the mean relative loss change up to a constant: the weights of TOTAL's sum stay
    1/L_i of the clean image, where dgba's are 1/L_i of the current one (the goal stated in arXiv 2305.12066).

    One task that can rise without bound may carry the mean alone. One backward pass a step, one more forward pass
    a run.
    """

    kind: ClassVar[str] = "relative"
    ascends_only: ClassVar[str] = ""
    relative_to_clean: ClassVar[bool] = True

    def weights(self, losses: Tensor) -> Tensor:
        return torch.ones_like(losses)

    def score(self, losses: Tensor) -> Tensor:
        return losses.mean(1)

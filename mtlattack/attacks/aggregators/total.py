"""TOTAL: the plain sum of the losses."""

from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import LinearAggregator
from mtlattack.attacks.aggregators.registry import AGGREGATORS


@AGGREGATORS.register("total")
class Total(LinearAggregator):
    """Ascend Σ_i L_i; the task with the largest gradients dominates (TOTAL of arXiv 2305.12066)."""

    kind: ClassVar[str] = "total"
    ascends_only: ClassVar[str] = ""

    def weights(self, losses: Tensor) -> Tensor:
        return torch.ones_like(losses)

    def score(self, losses: Tensor) -> Tensor:
        return losses.sum(1)

"""SIGN-SUM: every task has one vote a pixel."""

from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import Aggregator, log_score
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.gradients import TaskGradients


@AGGREGATORS.register("signsum")
class SignSum(Aggregator):
    """Follow Σ_i sign ∇L_i (SIGN-SUM of arXiv 2305.12066); needs the gradients apart, so T backward passes a step."""

    kind: ClassVar[str] = "signsum"
    ascends_only: ClassVar[str] = ""

    def direction(self, gradients: TaskGradients) -> Tensor:
        votes = torch.zeros(())
        for gradient in gradients.apart():
            votes = gradient.sign() + votes.to(gradient)
        return votes

    def score(self, losses: Tensor) -> Tensor:
        # Votes ignore scale, so what they ascend must too.
        return log_score(losses)

    def backward_passes(self, num_tasks: int) -> int:
        return num_tasks

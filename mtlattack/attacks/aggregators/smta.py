"""SMTA: one task is hurt, the others are spared."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import LinearAggregator
from mtlattack.attacks.aggregators.named import NamedByTask
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.options import check_number


@AGGREGATORS.register("smta")
@dataclass(frozen=True, kw_only=True)
class SelectiveAttack(NamedByTask, LinearAggregator):
    """Ascend r_t − `spare`·mean_{i≠t} r_i of the relative losses r_i = L_i(x')/L_i(x), named `smta:<task>`: the
    relaxation of max L_t subject to L_i(x') ≤ L_i(x) for i ≠ t (Guo et al. 2024, arXiv 2411.17936).

    spare = 0 is single:<task>; larger values give up more of it for the others, whose losses may also fall. One
    backward pass a step, one more forward pass a run.
    """

    kind: ClassVar[str] = "smta"
    ascends_only: ClassVar[str] = "it spares tasks by their own losses: give those that are to stay the target 'keep'"
    relative_to_clean: ClassVar[bool] = True

    spare: float = 1.0

    def __post_init__(self) -> None:
        check_number("spare", self.spare, 0)

    def weights(self, losses: Tensor) -> Tensor:
        others = max(losses.shape[1] - 1, 1)
        first = torch.arange(losses.shape[1], device=losses.device) == 0
        return torch.where(first, 1.0, -self.spare / others).to(losses).expand_as(losses)

    def score(self, losses: Tensor) -> Tensor:
        return (self.weights(losses) * losses).sum(1)

"""SMTA: one task is hurt, the others are spared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import LinearAggregator
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.options import check_number
from mtlattack.errors import UnknownNameError


@AGGREGATORS.register("smta")
@dataclass(frozen=True, kw_only=True)
class SelectiveAttack(LinearAggregator):
    """Ascend r_t − `spare`·mean_{i≠t} r_i of the relative losses r_i = L_i(x')/L_i(x), named `smta:<task>`: the
    relaxation of max L_t subject to L_i(x') ≤ L_i(x) for i ≠ t (Guo et al. 2024, arXiv 2411.17936).

    spare = 0 is single:<task>; larger values give up more of it for the others, whose losses may also fall. One
    backward pass a step, one more forward pass a run.
    """

    kind: ClassVar[str] = "smta"
    needs_task: ClassVar[bool] = True
    relative_to_clean: ClassVar[bool] = True

    task: str
    spare: float = 1.0

    def __post_init__(self) -> None:
        check_number("spare", self.spare, 0)

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.task}"

    def tasks(self, names: Sequence[str]) -> tuple[str, ...]:
        """All of them, the one to be hurt first."""
        if self.task not in names:
            raise UnknownNameError("task", self.task, names)
        return (self.task, *(name for name in names if name != self.task))

    def weights(self, losses: Tensor) -> Tensor:
        others = max(losses.shape[1] - 1, 1)
        first = torch.arange(losses.shape[1], device=losses.device) == 0
        return torch.where(first, 1.0, -self.spare / others).to(losses).expand_as(losses)

    def score(self, losses: Tensor) -> Tensor:
        return (self.weights(losses) * losses).sum(1)

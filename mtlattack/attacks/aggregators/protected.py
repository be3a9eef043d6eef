"""PROTECTED: all tasks but one are hurt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import log_score
from mtlattack.attacks.aggregators.named import NamedByTask
from mtlattack.attacks.aggregators.program import ProgramAggregator, without_absent
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.ilp import Program
from mtlattack.errors import InputError


@AGGREGATORS.register("protected")
@dataclass(frozen=True, kw_only=True)
class Protected(NamedByTask, ProgramAggregator):
    """max_δ min_{i≠t} Σ_j g_ij δ_j subject to Σ_j g_tj δ_j ≤ 0, over δ_j ∈ {−1, 0, 1}, g_i = ∇L_i/L_i, named
    `protected:<task>` (ours; the converse of smta, without its relaxation): the loss of the task t does not rise to
    first order.

    Score Σ_{i≠t} log r_i − (T − 1)·max(0, log r_t) of the relative losses r_i = L_i(x')/L_i(x): what the protected task
    has lost all the same counts against a point as much as all others together. T backward passes a step, one more
    forward pass a run.
    """

    kind: ClassVar[str] = "protected"
    ascends_only: ClassVar[str] = "it spares tasks by their own losses: give those that are to stay the target 'keep'"
    relative_to_clean: ClassVar[bool] = True

    def tasks(self, names: Sequence[str]) -> tuple[str, ...]:
        """All of them, the protected one first; InputError where there is no other."""
        ordered = super().tasks(names)
        if len(ordered) == 1:
            raise InputError(f"{self.name} spares the model's only task: nothing is left to hurt")
        return ordered

    def program(self, gains: Tensor) -> Program:
        gains = torch.cat([gains[:, :1], without_absent(gains[:, 1:])], 1)
        return Program(gains=gains, protected=tuple(i == 0 for i in range(gains.shape[1])))

    def score(self, losses: Tensor) -> Tensor:
        others = losses.shape[1] - 1
        return log_score(losses[:, 1:]) - others * log_score(losses[:, :1]).clamp_min(0)

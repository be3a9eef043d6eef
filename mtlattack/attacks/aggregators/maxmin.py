"""MAXMIN: the task that gains least gains most."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtlattack.attacks.aggregators.program import ProgramAggregator, without_absent
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.ilp import Program


@AGGREGATORS.register("maxmin")
@dataclass(frozen=True, kw_only=True)
class MaxMin(ProgramAggregator):
    """max_δ min_i Σ_j g_ij δ_j over δ_j ∈ {−1, 0, 1}, g_i = ∇L_i/L_i (ours): no task's loss falls to first order, where
    dgba's max_δ Σ_i Σ_j g_ij δ_j may pay with one task for the others.

    On all but a few pixels δ is the sign of a mixture Σ_i w_i g_i, w ≥ 0. T backward passes a step.
    """

    kind: ClassVar[str] = "maxmin"
    ascends_only: ClassVar[str] = ""

    def program(self, gains: Tensor) -> Program:
        return Program(gains=without_absent(gains))

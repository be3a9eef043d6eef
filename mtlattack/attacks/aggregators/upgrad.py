"""UPGrad: gradients that conflict with no task, averaged."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import NEAREST_FIRST
from mtlattack.attacks.aggregators.gram import GramAggregator, unit_diagonal
from mtlattack.attacks.aggregators.nonnegative import minimise, quadratic
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.gradients import TaskGradients

# Dependent gradients have many solutions: this much of a preference for a short one.
_RIDGE = 1e-9


@AGGREGATORS.register("upgrad")
@dataclass(frozen=True, kw_only=True)
class UPGrad(GramAggregator):
    """The mean of all g_i, each projected on the dual cone {d: ⟨g_j, d⟩ ≥ 0 for all j} (Quinton & Rey 2024,
    arXiv 2406.16232, eq. 5): to first order no task's loss falls.

    The projection of g_i is Σ_j v_j g_j with v minimising vᵀGv over v ≥ e_i (proposition 1 there): T quadratic programs
    an image, solved together for gradients of unit length. T backward passes a step.
    """

    kind: ClassVar[str] = "upgrad"
    ascends_only: ClassVar[str] = NEAREST_FIRST

    def weights(self, gram: Tensor, gradients: TaskGradients) -> Tensor:
        cosines, inverse = unit_diagonal(gram)
        lengths = gram.diagonal(dim1=1, dim2=2).sqrt()
        itself = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
        matrix = (cosines + _RIDGE * itself)[:, None].expand(-1, gram.shape[1], -1, -1)
        more = minimise(quadratic(matrix, cosines), torch.ones_like(cosines))
        return ((itself + more) * lengths[..., None]).sum(1) * inverse

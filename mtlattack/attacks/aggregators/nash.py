"""Nash-MTL: the tasks bargain for the direction."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.gram import GramAggregator, unit_diagonal
from mtlattack.attacks.aggregators.nonnegative import solve
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.gradients import TaskGradients

_STEPS = 40
# Opposed gradients have no bargain: with this much of a length of its own to each, weights stay finite.
_RIDGE = 1e-8


@AGGREGATORS.register("nash")
@dataclass(frozen=True, kw_only=True)
class NashMTL(GramAggregator):
    """The bargain Σ α_i g_i with Gα = 1/α, α > 0, which maximises Σ_i log⟨g_i, d⟩ over ‖d‖ ≤ 1 (Navon et al. 2022,
    arXiv 2202.01017, claim 3.1).

    α is the minimiser of ½αᵀGα − Σ log α, found by a fixed number of damped Newton steps in place of the paper's
    sequence of convex programs. Its direction does not feel the length of any gradient. T backward passes a step.
    """

    kind: ClassVar[str] = "nash"
    ascends_only: ClassVar[str] = ""

    def weights(self, gram: Tensor, gradients: TaskGradients) -> Tensor:
        cosines, inverse = unit_diagonal(gram)
        tasks = gram.shape[1]
        matrix = cosines + _RIDGE * torch.eye(tasks, dtype=gram.dtype, device=gram.device)
        alpha = torch.full_like(inverse, tasks**-0.5)
        for _ in range(_STEPS):
            slope = (matrix * alpha[:, None]).sum(2) - 1 / alpha
            step = solve(matrix + torch.diag_embed(alpha**-2), -slope)
            decrement = (-slope * step).sum(1, keepdim=True).clamp_min(0).sqrt()
            # Self-concordance: so short a step stays positive and descends, and near the minimum a whole one does.
            alpha = alpha + step / torch.where(decrement > 0.25, 1 + decrement, 1.0)
        return alpha * inverse

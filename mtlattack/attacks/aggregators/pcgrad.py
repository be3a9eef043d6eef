"""PCGrad: what a gradient does against another task is cut out of it."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import NEAREST_FIRST
from mtlattack.attacks.aggregators.gram import GramAggregator, unit_diagonal
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.gradients import TaskGradients


@AGGREGATORS.register("pcgrad")
@dataclass(frozen=True, kw_only=True)
class PCGrad(GramAggregator):
    """Σ_i g_i after g_i ← g_i − (⟨g_i, g_j⟩/‖g_j‖²) g_j for each j in turn with ⟨g_i, g_j⟩ < 0 (Yu et al. 2020,
    arXiv 2001.06782, algorithm 1).

    There the order of the j is drawn at random. Here each g_i meets the others by their cosine with it, the worst
    conflict first: one of the paper's orders, the same in every run and however the tasks are listed. T backward passes
    a step.
    """

    kind: ClassVar[str] = "pcgrad"
    ascends_only: ClassVar[str] = NEAREST_FIRST

    def weights(self, gram: Tensor, gradients: TaskGradients) -> Tensor:
        tasks = gram.shape[1]
        itself = torch.eye(tasks, dtype=gram.dtype, device=gram.device)
        order = torch.argsort(unit_diagonal(gram)[0] + 3 * itself, dim=2, stable=True)  # itself last
        squared = gram.diagonal(dim1=1, dim2=2)[:, None]
        squared = torch.where(squared > 0, squared, 1.0)
        rows = itself.expand_as(gram)  # row i: what g_i is made of by now
        for k in range(tasks - 1):
            met = order[:, :, k, None] == torch.arange(tasks, device=order.device)
            rows = rows - (rows @ gram).clamp_max(0) / squared * met
        return rows.sum(1)

"""SAGA: every pixel pays attention to the tasks whose gradients there have led upward."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import NEAREST_FIRST, Aggregator, log_score
from mtlattack.attacks.aggregators.gram import unit_gradients
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.gradients import TaskGradients
from mtlattack.attacks.options import check_number


@AGGREGATORS.register("saga")
@dataclass(frozen=True, kw_only=True)
class SelfAttention(Aggregator):
    """Follow u = Σ_m a_m ⊙ g_m with an attention a_m for every task, channel and pixel, 1 at the start of a climb
    (Auto-SAGA of arXiv 2305.12066; Mahmood et al. 2021, arXiv 2104.02610). T backward passes a step.

    After a step along u, smoothly tanh(k·u), to where the gradients are g', a_m moves up the slope of Σ_i log L_i:
    a_m ← a_m + rate · Σ_i g'_i ⊙ g_m ⊙ sech²(k·u). Auto-SAGA spends a second evaluation on a trial point; here the next
    point of the climb is taken for that trial point (under bim and pgd it is). g_m = ∇L_m/L_m, divided for each image
    by its mean magnitude over tasks and pixels: so neither losses, step length nor image size have a unit in it, unlike
    the authors' factors 10·50·α and k = 50 for gradients of pixels in 0…255. `sharpness` is k, `rate` stands for their
    product; rate = 0 follows Σ_m ∇ log L_m.
    """

    kind: ClassVar[str] = "saga"
    ascends_only: ClassVar[str] = NEAREST_FIRST

    rate: float = 0.1
    sharpness: float = 1.0

    def __post_init__(self) -> None:
        check_number("rate", self.rate, 0)
        check_number("sharpness", self.sharpness, 0)

    def direction(self, gradients: TaskGradients) -> Tensor:
        memory = gradients.memory
        stacked = _dimensionless(gradients.stacked(), gradients.losses)
        if "saga attention" in memory:
            slope = stacked.sum(1, keepdim=True) * memory["saga slope"]
            attention = memory["saga attention"] + self.rate * slope
        else:
            attention = torch.ones_like(stacked)
        followed = (attention * stacked).sum(1)
        memory["saga attention"] = attention
        memory["saga slope"] = stacked / (self.sharpness * followed).cosh().square()[:, None]
        return followed

    def score(self, losses: Tensor) -> Tensor:
        return log_score(losses)

    def backward_passes(self, num_tasks: int) -> int:
        return num_tasks


def _dimensionless(stacked: Tensor, losses: Tensor) -> Tensor:
    """Relative gradients `[B, T, 3, H, W]`, their mean magnitude 1 for every image that has any."""
    units, lengths = unit_gradients(stacked, losses)
    longest = lengths.amax(1, keepdim=True)
    lengths = (lengths / torch.where(longest > 0, longest, 1.0)).to(device=units.device, dtype=units.dtype)
    relative = units * lengths[..., None, None, None]
    # Row sums first, so that no image's sum is rounded by how many there are.
    mean = relative.abs().sum(4).flatten(1).sum(1) / relative[0].numel()
    return relative / torch.where(mean > 0, mean, 1.0)[:, None, None, None, None]

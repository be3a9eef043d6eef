"""CAGrad: the direction near the mean gradient that serves the worst served task best."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import NEAREST_FIRST
from mtlattack.attacks.aggregators.gram import GramAggregator
from mtlattack.attacks.aggregators.nonnegative import Curve, minimise
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.gradients import TaskGradients
from mtlattack.attacks.options import check_number

# The least reach that the program is solved for: below it nothing but the mean is asked for.
_LEAST_REACH = 1e-6
# Where g_w is zero weights grow as one over this, and float32 has to hold what is left when they cancel.
_LEAST_GAP = 1e-7


@AGGREGATORS.register("cagrad")
@dataclass(frozen=True, kw_only=True)
class CAGrad(GramAggregator):
    """argmax_d min_i ⟨g_i, d⟩ subject to ‖d − g_0‖ ≤ c‖g_0‖, g_0 the mean gradient (Liu et al. 2021, arXiv 2110.14048,
    eq. 3); 0 ≤ c < 1, c = 0 is g_0 itself.

    d = g_0 + c‖g_0‖ g_w/‖g_w‖ with w on the simplex minimising ⟨g_w, g_0⟩ + c‖g_0‖‖g_w‖. Where g_w is zero, at a Pareto
    stationary image, g_w/‖g_w‖ is the limit that solves the problem stated first. Solved to 1e-5 of max_i |⟨g_i, g_0⟩|.
    T backward passes a step.
    """

    kind: ClassVar[str] = "cagrad"
    ascends_only: ClassVar[str] = NEAREST_FIRST

    c: float = 0.5

    def __post_init__(self) -> None:
        check_number("c", self.c, 0, below=1)

    def weights(self, gram: Tensor, gradients: TaskGradients) -> Tensor:
        present = gram.diagonal(dim1=1, dim2=2) > 0
        mean = present.to(gram) / present.sum(1, keepdim=True).clamp_min(1)
        along = (gram * mean[:, None]).sum(2)  # ⟨g_i, g_0⟩
        radius = self.c * (along * mean).sum(1, keepdim=True).clamp_min(0).sqrt()
        # Most Newton steps are spent where g_w goes to zero; a faster schedule loses its way there.
        start = torch.ones_like(along[:, :1]).expand(-1, gram.shape[1] + 1)
        curve = _worst_case(gram, along, radius, present)
        y, length = minimise(curve, start, steps=80, shrink=0.4, least=_LEAST_GAP).split([gram.shape[1], 1], 1)
        return mean + radius * y * present / length


def _worst_case(gram: Tensor, along: Tensor, radius: Tensor, present: Tensor) -> Curve:
    """½ f(y, s)² − 1ᵀy, minimised by a multiple of the w that minimises f over the simplex, s beside it ‖g_y‖.

    f = ⟨g_y, g_0⟩/κ + radius (‖g_y‖²/s + s)/2κ + 2·1ᵀy with κ = max |⟨g_i, g_0⟩|: the least over s of the second term
    is radius·‖g_y‖/κ, but it stays smooth where g_y is zero. On the simplex f is positive and the 2 a constant; f is
    homogeneous, so the simplex need not be kept to.
    """
    tasks = gram.shape[1]
    largest = along.abs().amax(1, keepdim=True)
    largest = torch.where(largest > 0, largest, 1.0)
    linear, reach = along / largest + 2, (radius / largest).clamp_min(_LEAST_REACH)
    ones = torch.cat([present.to(gram), torch.zeros_like(reach)], 1)

    def curve(point: Tensor) -> tuple[Tensor, Tensor]:
        y, s = point.split([tasks, 1], 1)
        pull = (gram * y[:, None]).sum(2)
        squared = (pull * y).sum(1, keepdim=True)
        value = (linear * y).sum(1, keepdim=True) + reach / 2 * (squared / s + s)
        slope = torch.cat([linear + reach * pull / s, reach / 2 * (1 - squared / s**2)], 1)
        mixed = torch.cat([-pull / s**2, squared / s**3], 1)
        bend = torch.cat([torch.cat([gram / s[..., None], mixed[:, :tasks, None]], 2), mixed[:, None]], 1)
        return value * slope - ones, slope[:, :, None] * slope[:, None] + (value * reach)[..., None] * bend

    return curve

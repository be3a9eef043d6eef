"""What a solver answers: a step, and how far from the best it can be."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mtlattack.attacks.ilp.programs import Program

# A gap is relative to the bound, but to no less than this share of the most that any step could gain a task: where
# tasks cancel out, what is left of float32 gradients is rounding.
_FLOOR = 1e-5


@dataclass(frozen=True)
class Solution:
    """`step` `[B, C, H, W]` in {−1, 0, 1} is feasible and has the objective `value`; no step has more than `bound`.

    Both `[B]` float64, in the scale of the program's gains.
    `gap` `[B]` ≥ 0, (bound − value)/bound, certifies the step: 0 where it is the best there is.
    """

    step: Tensor
    value: Tensor
    bound: Tensor
    gap: Tensor

    @classmethod
    def certified(cls, program: Program, step: Tensor, bound: Tensor) -> "Solution":
        """The solution with this step, made zero where it is not feasible or worse than nothing, and this bound."""
        worth = program.value(step)
        keep = program.feasible(step) & (worth > 0)
        step = torch.where(keep[:, None, None, None], step, 0)
        value = torch.where(keep, worth, 0)
        # A bound below the value is a rounding error: the value itself is one.
        bound = torch.maximum(bound.to(value), value)
        most = program.gains.double().abs().flatten(2).sum(2).amax(1)
        floor = (_FLOOR * most).clamp_min(torch.finfo(torch.float64).tiny)
        return cls(step, value, bound, (bound - value) / torch.maximum(bound, floor))

    def to(self, device: torch.device) -> "Solution":
        """The same solution on another device."""
        return Solution(self.step.to(device), self.value.to(device), self.bound.to(device), self.gap.to(device))

    def or_better(self, other: "Solution") -> "Solution":
        """Image by image the one with the smaller gap, for solutions of one program with the same bounds."""
        keep = self.gap <= other.gap
        step = torch.where(keep[:, None, None, None], self.step, other.step)
        value, gap = torch.where(keep, self.value, other.value), torch.where(keep, self.gap, other.gap)
        return Solution(step, value, self.bound, gap)

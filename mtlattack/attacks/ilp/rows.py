"""A program in the form that its dual sees: rows to be mixed, all of a size, their pixels region by region."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from mtlattack.attacks.ilp.programs import Program


@dataclass(frozen=True)
class Rows:
    """Every gain Σ_j h_ij δ_j of M rows is to be large: the least of the first `objectives`, the others only ≥ 0.

    `values` `[B, M, C, R, S]` float64 are the gains of an image's tasks over one common factor, so that the largest row
    has mean |h| = 1 (tolerances are absolute); the sum of tasks is one row; a protected task is a row turned round, of
    mean |h| = 1 as well. Pixels stand by region, S the size of the largest; what is left over, and regions without a
    budget, hold zeros. `scale` `[B]` leads from means over a row's `count` values back to the program's sums.
    `budgets` has R numbers, none larger than its region; None: every pixel may change. `slots` `[H·W]` says where each
    pixel stands; None: in order.
    """

    values: Tensor
    objectives: int
    scale: Tensor
    count: int
    budgets: tuple[int, ...] | None
    slots: Tensor | None

    @classmethod
    def of(cls, program: Program) -> Self:
        gains = program.gains.flatten(3)
        wanted, spared = program.objective_tasks, program.protected_tasks
        if program.objective == "sum":
            gains = torch.cat([gains[:, wanted].double().sum(1, keepdim=True), gains[:, spared]], 1)
            wanted, spared = [0], list(range(1, 1 + len(spared)))
        elif spared:
            gains = gains[:, wanted + spared]
        size = gains.abs().flatten(2).mean(2, dtype=torch.float64)
        largest = _positive(size[:, : len(wanted)].amax(1))
        factor = torch.cat([largest[:, None].expand(-1, len(wanted)), -_positive(size[:, len(wanted) :])], 1)
        values = gains.double() / factor[..., None, None]
        budgets, slots = program.budgets, None
        if budgets is not None:
            regions = program.pixel_regions
            sizes = np.bincount(regions, minlength=len(budgets))
            budgets = tuple(min(budget, int(size)) for budget, size in zip(budgets, sizes, strict=True))
            if len(budgets) > 1:
                slots = torch.from_numpy(_slots(regions, sizes)).to(values.device)
                padded = values.new_zeros(*values.shape[:3], len(sizes) * int(sizes.max()))
                values = padded.index_copy(3, slots, values)
            values = values.unflatten(3, (len(budgets), -1))
            values = values * torch.tensor(budgets, device=values.device).bool()[:, None]
        else:
            values = values[:, :, :, None]
        count = gains.shape[2] * gains.shape[3]
        return cls(values, len(wanted), largest * count, count, budgets, slots)

    def thinned(self, stride: int) -> Self:
        """The same program, without budgets, on every so many-th pixel."""
        values = self.values[..., ::stride].contiguous()
        return replace(self, values=values, count=values.shape[2] * values.shape[4])

    def mixture(self, weights: Tensor) -> Tensor:
        """Σ_i w_i h_i for weights `[B, M]`, `[B, C, R, S]`, row after row: no image can feel its batch."""
        total = torch.zeros_like(self.values[:, 0])
        for i in range(self.values.shape[1]):
            total = total + weights[:, i, None, None, None] * self.values[:, i]
        return total

    def gains(self, step: Tensor) -> Tensor:
        """What a step `[B, C, R, S]` gains each row, over the number of values, `[B, M]`."""
        return (self.values * step[:, None]).flatten(2).sum(2) / self.count

    def restored(self, step: Tensor) -> Tensor:
        """A step `[B, C, R, S]` as `[B, C, H·W]`."""
        step = step.flatten(2)
        return step if self.slots is None else step[:, :, self.slots]


def _slots(
    regions: "np.typing.NDArray[np.int64]", sizes: "np.typing.NDArray[np.int64]"
) -> "np.typing.NDArray[np.int64]":
    """Where each pixel stands when regions are rows as long as the largest."""
    order = np.argsort(regions, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order)) - np.repeat(sizes.cumsum() - sizes, sizes)
    return regions * sizes.max() + rank


def _positive(sizes: Tensor) -> Tensor:
    return torch.where(sizes > 0, sizes, 1)

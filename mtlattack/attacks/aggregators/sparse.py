"""SPARSE: some of the pixels are changed at a step, those that gain most."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from mtlattack.attacks.aggregators.base import NEAREST_FIRST, LinearAggregator, log_score
from mtlattack.attacks.aggregators.program import ProgramAggregator, solved, without_absent
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.gradients import TaskGradients
from mtlattack.attacks.ilp import Program
from mtlattack.attacks.options import check_share, check_whole
from mtlattack.tasks import LOSS_FLOOR


@AGGREGATORS.register("sparse")
@dataclass(frozen=True, kw_only=True)
class Sparse(LinearAggregator):
    """dgba's program max_δ Σ_i Σ_j g_ij δ_j, g_i = ∇L_i/L_i, δ_j ∈ {−1, 0, 1}, with at most k pixels changed a step,
    all channels of a pixel together (ours): the signs of Σ_i g_i on the k pixels where its l_1 norm is largest.

    k is `share` of the pixels, at least one. The pixels may be others at the next step: the norm l0 bounds how many
    change altogether. One backward pass a step.
    """

    kind: ClassVar[str] = "sparse"
    ascends_only: ClassVar[str] = NEAREST_FIRST
    norms: ClassVar[tuple[str, ...] | None] = ("linf", "l0")

    share: float = 0.1

    def __post_init__(self) -> None:
        check_share("share", self.share)

    def weights(self, losses: Tensor) -> Tensor:
        return 1 / losses.clamp_min(LOSS_FLOOR)

    def direction(self, gradients: TaskGradients) -> Tensor:
        total = super().direction(gradients)[:, None]
        return solved(Program(gains=total, objective="sum", budgets=(budget(total, self.share),)), gradients)

    def score(self, losses: Tensor) -> Tensor:
        return log_score(losses)


@AGGREGATORS.register("sparse-maxmin")
@dataclass(frozen=True, kw_only=True)
class SparseMaxMin(ProgramAggregator):
    """maxmin's program max_δ min_i Σ_j g_ij δ_j, g_i = ∇L_i/L_i, δ_j ∈ {−1, 0, 1}, with at most k pixels changed a
    step, all channels of a pixel together (ours).

    k is `share` of the pixels, at least one. T backward passes a step.
    """

    kind: ClassVar[str] = "sparse-maxmin"
    ascends_only: ClassVar[str] = ""
    norms: ClassVar[tuple[str, ...] | None] = ("linf", "l0")

    share: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("share", self.share)

    def program(self, gains: Tensor) -> Program:
        return Program(gains=without_absent(gains), budgets=(budget(gains, self.share),))


@AGGREGATORS.register("regional")
@dataclass(frozen=True, kw_only=True)
class Regional(ProgramAggregator):
    """maxmin's program max_δ min_i Σ_j g_ij δ_j, g_i = ∇L_i/L_i, δ_j ∈ {−1, 0, 1}, with so many pixels changed a step
    in every cell of a `grid` × `grid` raster (ours): what is changed is spread over the image.

    So many are `share` of a cell's pixels, at least one. T backward passes a step.
    """

    kind: ClassVar[str] = "regional"
    ascends_only: ClassVar[str] = ""

    share: float = 0.1
    grid: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("share", self.share)
        check_whole("grid", self.grid)

    def program(self, gains: Tensor) -> Program:
        rows, columns = (np.arange(size) * self.grid // size for size in gains.shape[3:])
        # Cells of an image smaller than the grid may be empty; those that are not are numbered through.
        cells = np.unique(rows[:, None] * self.grid + columns, return_inverse=True)[1].reshape(gains.shape[3:])
        budgets = tuple(max(1, round(self.share * int(size))) for size in np.bincount(cells.ravel()))
        return Program(gains=without_absent(gains), budgets=budgets, regions=cells)


def budget(gains: Tensor, share: float) -> int:
    """So many pixels are `share` of an image's."""
    return max(1, round(share * gains.shape[3] * gains.shape[4]))

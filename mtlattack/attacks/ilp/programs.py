"""What is solved: the integer program of one attack step, for a batch of images."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.wording import counted

# A protected task counts as spared if a step raises it by no more than this share of the most that any step could:
# below it are rounding errors and the solvers' tolerances.
TOLERANCE = 1e-8


@dataclass(frozen=True, kw_only=True)
class Program:
    """Choose δ ∈ {−1, 0, 1} for every value of every image, so that the first-order gains Σ_j g_ij δ_j are best.

    `gains` `[B, T, C, H, W]` hold what a unit step of each value gains each of T tasks: ∇L_i/L_i, in any scale.

    objective  "sum": max Σ_i gain_i, the program of DGBA (arXiv 2305.12066); "maxmin": max min_i gain_i (ours)
    budgets    None, or how many pixels of each region may change (all channels of a pixel together), R numbers
    regions    `[H, W]` integers in 0…R−1, the region of each pixel; None: the image is one region
    protected  which tasks (T booleans) must not gain, Σ_j g_ij δ_j ≤ 0; the objective is over the others

    δ = 0 is feasible, so no optimum is negative. InputError for shapes and options that do not fit; that the gains are
    finite is for `check_finite` to see, which waits for the device.
    """

    gains: Tensor
    objective: Literal["sum", "maxmin"] = "maxmin"
    budgets: tuple[int, ...] | None = None
    regions: NDArray[np.integer] | None = None
    protected: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        if self.gains.ndim != 5 or 0 in self.gains.shape[1:] or not self.gains.is_floating_point():
            raise InputError(
                f"gains have shape {tuple(self.gains.shape)} and type {self.gains.dtype}, "
                "expected floats [B, T, C, H, W] with T, C, H, W ≥ 1"
            )
        if self.objective not in ("sum", "maxmin"):
            raise InputError(f"objective {self.objective!r}, expected 'sum' or 'maxmin'")
        self._check_budgets()
        if self.protected and len(self.protected) != self.gains.shape[1]:
            raise InputError(
                f"{counted(len(self.protected), 'protected mark')} for {counted(self.gains.shape[1], 'task')}"
            )
        if self.protected and all(self.protected):
            raise InputError("every task is protected, expected at least one that is not")

    def _check_budgets(self) -> None:
        height, width = self.gains.shape[3:]
        if self.budgets is None:
            if self.regions is not None:
                raise InputError("regions without budgets, expected one budget a region")
            return
        if not self.budgets or not all(0 <= budget <= height * width for budget in self.budgets):
            raise InputError(f"budgets {self.budgets}, expected each in 0…{height * width}, the number of pixels")
        if self.regions is None and len(self.budgets) != 1:
            raise InputError(f"{counted(len(self.budgets), 'budget')} without regions, expected 1")
        if self.regions is None:
            return
        if self.regions.shape != (height, width) or self.regions.dtype.kind not in "iu":
            raise InputError(
                f"regions have shape {self.regions.shape} and type {self.regions.dtype}, "
                f"expected integers ({height}, {width})"
            )
        low, high = self.regions.min(), self.regions.max()
        if low < 0 or high >= len(self.budgets):
            raise InputError(f"regions reach from {low} to {high}, expected 0…{len(self.budgets) - 1}")

    def check_finite(self) -> None:
        """InputError for gains that are not finite."""
        if not self.gains.isfinite().all():
            raise InputError("gains are not finite")

    @property
    def objective_tasks(self) -> list[int]:
        """The tasks that are to gain."""
        return [i for i in range(self.gains.shape[1]) if i not in self.protected_tasks]

    @property
    def protected_tasks(self) -> list[int]:
        """The tasks that must not gain."""
        return [i for i, marked in enumerate(self.protected) if marked]

    @property
    def pixel_regions(self) -> NDArray[np.int64]:
        """The region of each pixel, `[H·W]`."""
        height, width = self.gains.shape[3:]
        return np.zeros(height * width, np.int64) if self.regions is None else self.regions.astype(np.int64).ravel()

    def task_gains(self, step: Tensor) -> Tensor:
        """What a step `[B, C, H, W]` gains each task, `[B, T]` float64."""
        return (self.gains.double() * step[:, None].double()).flatten(2).sum(2)

    def value(self, step: Tensor) -> Tensor:
        """The objective at a step, `[B]` float64."""
        gains = self.task_gains(step)[:, self.objective_tasks]
        return gains.sum(1) if self.objective == "sum" else gains.amin(1)

    def feasible(self, step: Tensor) -> Tensor:
        """Whether a step is allowed, `[B]`: its values, its budgets, and the protected tasks to within TOLERANCE."""
        allowed = (step.abs() <= 1).flatten(1).all(1) & (step == step.round()).flatten(1).all(1)
        if self.budgets is not None:
            changed = step.any(1).flatten(1).long()
            regions = torch.from_numpy(self.pixel_regions).to(step.device)
            used = changed.new_zeros(len(step), len(self.budgets)).index_add(1, regions, changed)
            allowed &= (used <= torch.tensor(self.budgets, device=step.device)).all(1)
        if self.protected_tasks:
            most = self.gains[:, self.protected_tasks].double().abs().flatten(2).sum(2)
            allowed &= (self.task_gains(step)[:, self.protected_tasks] <= TOLERANCE * most).all(1)
        return allowed

"""What takes its step from an integer program over the gradients of the tasks."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import Aggregator, log_score
from mtlattack.attacks.gradients import TaskGradients
from mtlattack.attacks.ilp import METHODS, Program
from mtlattack.errors import UnknownNameError
from mtlattack.tasks import LOSS_FLOOR


@dataclass(frozen=True, kw_only=True)
class ProgramAggregator(Aggregator):
    """Follow the δ ∈ {−1, 0, 1} that is best by an integer program over the first-order relative gains Σ_j g_ij δ_j,
    g_i = ∇L_i/L_i of the current losses (ours); T backward passes a step.

    `method` is that of `ilp.solve`: "dual", the only one without a loop over images; "restricted" or "pulp", closer to
    the best and a thousand times as slow. A solver that fails is a SolverError. How far a step may be from the best,
    (bound − value)/bound, is noted as `gap`. The score is Σ_i log L_i, of which the g_i are the gradients: a step that
    raises the least gain may not be traded for one that raises the sum, but among finished points the one whose tasks
    are hurt most on the whole is kept.
    """

    norms: ClassVar[tuple[str, ...] | None] = ("linf",)

    method: str = "dual"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UnknownNameError("method", self.method, METHODS)

    @abstractmethod
    def program(self, gains: Tensor) -> Program:
        """The program of a step, from gains `[B, T, 3, H, W]`."""

    def direction(self, gradients: TaskGradients) -> Tensor:
        return solved(self.program(relative_gains(gradients.stacked(), gradients.losses)), gradients, self.method)

    def score(self, losses: Tensor) -> Tensor:
        return log_score(losses)

    def backward_passes(self, num_tasks: int) -> int:
        return num_tasks


def relative_gains(stacked: Tensor, losses: Tensor) -> Tensor:
    """∇L_i/L_i from gradients `[B, T, 3, H, W]` and losses `[B, T]`."""
    return torch.nan_to_num(stacked / losses.clamp_min(LOSS_FLOOR)[..., None, None, None])


def without_absent(gains: Tensor) -> Tensor:
    """Gains `[B, T, 3, H, W]` in which a task without a gradient on an image (no labels, a head that is cut off) does
    as the first that has one: so it leaves the minimum to the others."""
    present = gains.flatten(2).any(2)
    first = present.float().argmax(1)
    stand_in = gains[torch.arange(len(gains), device=gains.device), first]
    return torch.where(present[..., None, None, None], gains, stand_in[:, None])


def solved(program: Program, gradients: TaskGradients, method: str = "dual") -> Tensor:
    """The step of a program, `[B, 3, H, W]`; its gap is noted."""
    solution = METHODS[method](program)
    gradients.note("gap", solution.gap.float())
    return solution.step

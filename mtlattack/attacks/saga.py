"""Auto-SAGA: each task's gradient is weighted pixel by pixel, and the weights are learnt on the way."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators import Total
from mtlattack.attacks.attack import Result
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.options import check_positive, check_whole
from mtlattack.attacks.problem import Problem
from mtlattack.attacks.standalone import ATTACKS, StandaloneAttack

_SHARPNESS = 50.0
_LEARNING_RATE = 10.0


@ATTACKS.register("auto-saga")
@dataclass(frozen=True, kw_only=True)
class AutoSAGA(StandaloneAttack):
    """x ← Π(x + α·sign(u)) along u = Σ_m a_m ⊙ g_m, from the clean image; the last x is returned.

    g_m = ∇L_m, a_m one weight a task and value of the image, 1 at first and kept from step to step. As in the code for
    arXiv 2305.12066 (after SAGA, Mahmood et al. 2021, arXiv 2104.02610) a trial point t = Π(x + α·sign(u)) is made
    first; with tanh(50·u) for sign(u) the chain rule gives the gradient of Σ_i L_i(t) in a_m, and a step of length 10:
    a_m ← a_m + 10·(Σ_i ∇L_i(t)) ⊙ (50·α·g_m ⊙ sech²(50·u)). Every task's gradient is taken, where that code takes the
    last one's again, and t stays in the box.

    The update of a_m depends on the scale of losses and pixels: its numbers 10 and 50 are kept while pixels are in
    [0, 1], not 0 to 255, so gradients are 255 times as large. Costs 2K forward and K·(T + 1) backward passes.
    """

    kind: ClassVar[str] = "auto-saga"
    norms: ClassVar[tuple[str, ...] | None] = ("linf",)

    steps: int = 20
    step_size: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("steps", self.steps)
        if self.step_size is not None:
            check_positive("step_size", self.step_size)

    def perturb(self, problem: Problem, noise: Noise) -> Result:
        objective, ball = Objective(problem, Total()), self.threat.ball(problem.images)
        objective.begin(2 * self.steps)  # Each step looks twice.
        length, points = self._length(), problem.images
        # One tensor for each task: `[B, T, 3, H, W]`.
        attention = torch.ones(())
        for _ in range(self.steps):
            gradients = objective.task_gradients(points)
            direction = _combined(attention, gradients)
            trial = ball.project(torch.add(points, direction.sign(), alpha=length))
            _, rise = objective.gradient(trial)
            # sech² by tanh, as cosh overflows.
            slope = 1 - torch.tanh(_SHARPNESS * direction).square()
            attention = attention + _LEARNING_RATE * (rise * _SHARPNESS * length * slope).unsqueeze(1) * gradients
            points = ball.project(torch.add(points, _combined(attention, gradients).sign(), alpha=length))
        return Result(points, objective.diagnostics)

    def cost(self, num_tasks: int) -> Cost:
        return Cost(2 * self.steps, self.steps * (num_tasks + 1))

    def options(self) -> dict[str, Any]:
        return super().options() | {"step_size": self._length()}

    def _length(self) -> float:
        return self.step_size or self.threat.radius / self.steps


def _combined(attention: Tensor, gradients: Tensor) -> Tensor:
    """Σ_m a_m ⊙ g_m, task after task, from `[B, T, 3, H, W]` (or a weight for all) to `[B, 3, H, W]`."""
    total = torch.zeros_like(gradients[:, 0])
    for weighted in (attention * gradients).unbind(1):
        total = total + weighted
    return total

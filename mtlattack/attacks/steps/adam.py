"""Adam, projected."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.balls import Ball, Lengths
from mtlattack.attacks.norms import normalise
from mtlattack.attacks.options import check_number
from mtlattack.attacks.steps.registry import STEPS
from mtlattack.attacks.steps.tracked import PathRule

# Against a division by zero: g has length 1.
_SMALL = 1e-12


@STEPS.register("adam")
@dataclass(frozen=True, kw_only=True)
class Adam(PathRule):
    """x ← Π(x + α·m̂/√v̂) for every value by itself, m and v running means of g/‖g‖₂ and its square with factors
    `beta1` and `beta2`, m̂ and v̂ free of their start at zero (Kingma & Ba 2015, arXiv 1412.6980, algorithm 1).

    α is ε unless `step_size` says otherwise. The best point of each image is kept, which at equal backward passes is
    never weaker than the last. A run of K steps costs K forward and backward passes and one closing forward pass.
    """

    kind: ClassVar[str] = "adam"
    norms: ClassVar[tuple[str, ...] | None] = ("linf", "patch")

    beta1: float = 0.5
    beta2: float = 0.999

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("beta1", self.beta1, 0, below=1)
        check_number("beta2", self.beta2, 0, below=1)

    def first_step(self, lengths: Lengths) -> float:
        return self.step_size or lengths.radius

    def path(self, ball: Ball, points: Tensor) -> Generator[Tensor, Tensor, None]:
        step = self.first_step(ball)
        first, second = torch.zeros_like(points), torch.zeros_like(points)
        for k in range(1, self.steps + 1):
            gradient = normalise((yield points), 2)
            first.lerp_(gradient, 1 - self.beta1)
            second.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
            spread = (second / (1 - self.beta2**k)).sqrt_().add_(_SMALL)
            points = ball.project(torch.addcdiv(points, first, spread, value=step / (1 - self.beta1**k)))
        yield points

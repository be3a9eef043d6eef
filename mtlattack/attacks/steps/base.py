"""What a step rule is: how directions become a perturbation."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.balls import Ball, Lengths
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.norms import overwrite
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.options import check_positive, check_whole


@dataclass(frozen=True, kw_only=True)
class StepRule(ABC):
    """A way to climb an objective inside a ball. The dataclass fields of a rule are the options that it takes."""

    kind: ClassVar[str]
    # Not annotated, so not options: a rule that takes them declares fields of these names.
    steps = 1
    restarts = 1
    # Threat norms that it is made for; None: any.
    norms: ClassVar[tuple[str, ...] | None] = None
    uses_gradients: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole("steps", self.steps)
        check_whole("restarts", self.restarts)
        size = getattr(self, "step_size", None)
        if size is not None:
            check_positive("step_size", size)

    @abstractmethod
    def run(self, objective: Objective, ball: Ball, noise: Noise) -> Tensor:
        """Points of `ball` with a high score, `[B, 3, H, W]`."""

    @abstractmethod
    def first_step(self, lengths: Lengths) -> float:
        """Length of the first step, for a ball or threat of these lengths."""

    @abstractmethod
    def cost(self, backward_passes: int) -> Cost:
        """Passes for each image, given the backward passes that one gradient takes."""

    @property
    def searched_points(self) -> int:
        """Points an image that go into a choice with the score of the gradient pass."""
        return 0

    def config(self, lengths: Lengths) -> dict[str, Any]:
        """The options in force for a ball or threat of these lengths, plain JSON types."""
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        return options | ({"step_size": self.first_step(lengths)} if "step_size" in options else {})


class Best:
    """The best point of each image over several runs."""

    def __init__(self, points: Tensor, score: Tensor) -> None:
        self.points, self.score = points.clone(), score

    def offer(self, points: Tensor, score: Tensor) -> None:
        """Take the points `[B, 3, H, W]` of those images whose `score` `[B]` is higher than any before."""
        better = score > self.score
        overwrite(self.points, better, points)
        self.score = torch.where(better, score, self.score)

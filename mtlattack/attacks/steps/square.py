"""Square attack: random search with squares, by scores alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.balls import Ball, Lengths
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.norms import per_image
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.options import check_share
from mtlattack.attacks.steps.base import Best, StepRule
from mtlattack.attacks.steps.registry import STEPS

# The area of a square is halved after these of 10000 queries.
_BUDGET = 10_000
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


@STEPS.register("square")
@dataclass(frozen=True, kw_only=True)
class Square(StepRule):
    """Square attack for l_inf (Andriushchenko et al. 2020, arXiv 1912.00049, algorithms 1 and 2), on the score.

    Starts at x ± ε in vertical stripes, then repaints one square of each image with ±ε a channel, `steps` times, and
    keeps what scores higher. A square covers the share `area` of the image at first, halved after the paper's shares
    of the budget. Colours that would change nothing are turned round, where the paper draws again.

    Sees scores alone, and those of the model itself. Costs steps + 1 forward passes (queries), no backward pass.
    """

    kind: ClassVar[str] = "square"
    norms: ClassVar[tuple[str, ...] | None] = ("linf",)
    uses_gradients: ClassVar[bool] = False

    steps: int = 100
    area: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("area", self.area)

    def first_step(self, lengths: Lengths) -> float:
        return lengths.radius

    def cost(self, backward_passes: int) -> Cost:
        return Cost(self.steps + 1, 0)

    def run(self, objective: Objective, ball: Ball, noise: Noise) -> Tensor:
        batch, channels, height, width = ball.images.shape
        objective.begin(self.steps)
        low, high = (ball.project(ball.images + sign * ball.radius) for sign in (-1, 1))
        stripes = noise.apart("stripes").uniform((channels, 1, width), 0).to(ball.images)
        points = torch.where(stripes < 0, low, high)
        best = Best(points, objective.score(points))
        # Row, column and a colour a channel, for all queries at once: nothing is drawn while the device works.
        draws = noise.apart("squares").uniform((self.steps, 2 + channels), 0).to(ball.images)
        for draw, side in zip(draws.unbind(1), self._sides(height, width), strict=True):
            rows = _interval(draw[:, 0], side, height)
            columns = _interval(draw[:, 1], side, width)
            inside = (rows[:, :, None] & columns[:, None, :])[:, None]
            bright = draw[:, 2:, None, None] >= 0
            same = (torch.where(bright, high, low) == best.points) | ~inside
            bright = bright ^ per_image(same.flatten(1).all(1))
            points = torch.where(inside, torch.where(bright, high, low), best.points)
            best.offer(points, objective.score(points))
        return best.points

    def _sides(self, height: int, width: int) -> Iterator[int]:
        """The side of the square of every query, in pixels."""
        for query in range(self.steps):
            halvings = sum(query * _BUDGET > after * self.steps for after in _HALVINGS)
            side = round((self.area * 0.5**halvings * height * width) ** 0.5)
            yield min(max(side, 1), height, width)


def _interval(draw: Tensor, side: int, length: int) -> Tensor:
    """Which of `length` pixels lie in an interval of `side` at a place drawn uniformly from [−1, 1), `[B, length]`."""
    start = ((draw + 1) / 2 * (length - side + 1)).floor().clamp_max(length - side)[:, None]
    pixels = torch.arange(length, device=draw.device)
    return (pixels >= start) & (pixels < start + side)

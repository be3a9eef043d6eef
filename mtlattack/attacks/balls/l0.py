"""l_0: a number of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mtlattack.attacks.balls.base import Ball, exact
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.norms import at_most_one, per_image
from mtlattack.errors import InputError
from mtlattack.lazily import torch

if TYPE_CHECKING:
    from torch import Tensor

# A pixel that is not chosen falls back to its clean value at every projection, so one step must do to overtake another.
_STEP_UNIT = 5.0
# A step of twice the unit loses what was found before (measured: benchmarks/registry/README.md).
_LONGEST_STEP = _STEP_UNIT
# Pixels that are summed at a time.
_PART = 1024


class L0Ball(Ball):
    """At most `eps` pixels (all channels of a pixel count as one) change, to any values in [0, 1].

    `eps` is a whole number from 1 to H·W. Steps have length 1 if the `eps` pixels that move most move by 1 on average,
    each by its largest channel; their unit, `radius`, is 5, and so is `diameter`, the longest that makes sense.
    """

    norm: ClassVar[str] = "l0"

    def __init__(self, images: Tensor, eps: float) -> None:
        super().__init__(images, eps)
        height, width = images.shape[2:]
        if eps > height * width:
            raise InputError(f"eps {eps:g} pixels are more than the {height * width} of an image of {height}×{width}")
        self.pixels = int(eps)

    @staticmethod
    def radius_of(eps: float) -> float:
        return _STEP_UNIT

    @classmethod
    def diameter_of(cls, eps: float) -> float:
        return _LONGEST_STEP

    @classmethod
    def check(cls, eps: float) -> None:
        super().check(eps)
        if eps != int(eps):
            raise InputError(f"eps {eps} is not a whole number of pixels ≥ 1 for l0")

    def project(self, points: Tensor) -> Tensor:
        """The nearest point of ball ∩ box (Croce & Hein 2019, arXiv 1909.05040, section 3.1).

        Kept are the pixels whose loss would cost most distance, ‖δ‖² − ‖δ − box(δ)‖²; equal ones in index order.
        """
        point = points.clamp(0, 1)
        delta = exact(points).double() - exact(self.images).double()
        over = exact(points).double() - exact(point).double()
        worth = (delta.square() - over.square()).sum(1).flatten(1)
        order = worth.argsort(dim=1, descending=True, stable=True)[:, : self.pixels]
        kept = torch.zeros_like(worth, dtype=torch.bool).scatter(1, order, True).view_as(delta[:, 0]).unsqueeze(1)
        return torch.where(kept.to(points.device), point, self.images)

    def steepest(self, gradient: Tensor) -> Tensor:
        """The gradient itself, scaled: the projection chooses the pixels, in a long step by g times the box's room."""
        scaled = at_most_one(gradient)
        largest = scaled.abs().amax(1).flatten(1).topk(self.pixels, 1).values
        # By parts first: the sum over a lone image, and over that alone, would be split over the threads.
        mean = (
            torch.nn.functional.pad(largest, (0, -self.pixels % _PART)).unflatten(1, (-1, _PART)).sum(2).sum(1)
            / self.pixels
        )
        return scaled / per_image(torch.where(mean > 0, mean, 1.0))

    def random_start(self, noise: Noise, restart: int) -> Tensor:
        """`eps` pixels at random, with uniform values."""
        draw = noise.uniform((4, *self.images.shape[2:]), restart).to(self.images)
        order = draw[:, 0].flatten(1).argsort(dim=1, descending=True, stable=True)[:, : self.pixels]
        chosen = torch.zeros_like(draw[:, 0].flatten(1), dtype=torch.bool).scatter(1, order, True)
        return torch.where(chosen.view_as(draw[:, :1]), (draw[:, 1:] + 1) / 2, self.images)

"""l_2: a length for the whole perturbation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mtlattack.attacks.balls.base import MARGIN, Ball, exact, moved
from mtlattack.attacks.balls.rounding import budget_of, largest_remainders
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.norms import norm, normalise, per_image
from mtlattack.lazily import torch

if TYPE_CHECKING:
    from torch import Tensor


class L2Ball(Ball):
    """The perturbation of an image, over all values, is no longer than `eps` > 0.

    Rounding to 8 bits is by largest remainders: see `rounding`.
    """

    norm: ClassVar[str] = "l2"

    @staticmethod
    def largest_level(eps: float) -> int:
        return int(budget_of(eps))

    def project(self, points: Tensor) -> Tensor:
        x, point = exact(self.images), exact(points)
        delta = point.double() - x.double()
        limit = self.eps * (1 - MARGIN)
        length = per_image(norm(delta, 2))
        scaled = moved(x, delta * (limit / length.clamp_min(limit)))
        # Half a margin more than what it is scaled to: a point that was projected is inside.
        outside = length > self.eps * (1 - MARGIN / 2)
        return torch.where(outside, scaled, point).clamp(0, 1).to(points.device)

    def steepest(self, gradient: Tensor) -> Tensor:
        return normalise(gradient, 2)

    def random_start(self, noise: Noise, restart: int) -> Tensor:
        return self.project(self.images + self.eps * noise.in_ball(self.images.shape[1:], restart).to(self.images))

    def _whole_levels(self, change: Tensor) -> Tensor:
        return largest_remainders(change, int(budget_of(self.eps) ** 2), lambda level: level * level)

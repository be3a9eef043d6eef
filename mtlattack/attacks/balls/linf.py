"""l_inf: an interval for every value."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mtlattack.attacks.balls.base import Ball, exact
from mtlattack.attacks.noise import Noise
from mtlattack.epsilon import LEVELS
from mtlattack.errors import InputError
from mtlattack.lazily import torch

if TYPE_CHECKING:
    from torch import Tensor


class LinfBall(Ball):
    """No value moves by more than `eps`, 0 < eps ≤ 1: with the box an interval a value, computed once.

    8-bit images keep to whole levels, |k' − k| ≤ ⌊255·eps⌋; k'/255 and k/255 as floats may be an ulp further apart.
    """

    norm: ClassVar[str] = "linf"
    largest_eps: ClassVar[float] = 1.0

    def __init__(self, images: Tensor, eps: float) -> None:
        super().__init__(images, eps)
        self.lower = self._bound(-eps).clamp_min(0)
        self.upper = self._bound(eps).clamp_max(1)

    @classmethod
    def check(cls, eps: float) -> None:
        if 1 < eps <= LEVELS:
            raise InputError(f"eps {eps} is outside (0, 1]; did you mean {eps:g}/255?")
        super().check(eps)

    @staticmethod
    def largest_level(eps: float) -> int:
        return int(LEVELS * eps + 1e-6)  # 8/255 · 255 is 8, whatever its last digit.

    def project(self, points: Tensor) -> Tensor:
        return torch.clamp(points, self.lower, self.upper)

    def steepest(self, gradient: Tensor) -> Tensor:
        return gradient.sign()

    def random_start(self, noise: Noise, restart: int) -> Tensor:
        return self.project(self.images + self.eps * noise.uniform(self.images.shape[1:], restart).to(self.images))

    def _bound(self, offset: float) -> Tensor:
        """float32(x + offset), one float nearer to x where rounding left the ball."""
        x = exact(self.images)
        bound = (x.double() + offset).float()
        outside = (bound.double() - x.double()).abs() > self.eps
        return torch.where(outside, torch.nextafter(bound, x), bound).to(self.images.device)

    def _whole_levels(self, change: Tensor) -> Tensor:
        most = self.largest_level(self.eps)
        return change.round().long().clamp(-most, most)

"""A patch: anything, in one place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from mtlattack.attacks.balls.base import Ball
from mtlattack.attacks.noise import Noise
from mtlattack.lazily import torch

if TYPE_CHECKING:
    from torch import Tensor


class PatchBall(Ball):
    """Any values in [0, 1] on a square in the middle of the image, and no change outside (Brown et al. 2017,
    arXiv 1712.09665, there at random places and for all images at once).

    The square covers the share `eps` of the image, 0 < eps ≤ 1; where it is higher or wider than the image, a
    rectangle does. Steps are in l_inf, and their unit is the range of a pixel.
    """

    norm: ClassVar[str] = "patch"
    largest_eps: ClassVar[float] = 1.0

    def __init__(self, images: Tensor, eps: float) -> None:
        super().__init__(images, eps)
        height, width = patch_size(images.shape[2], images.shape[3], eps)
        top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
        self.inside = torch.zeros(images.shape[2:], dtype=torch.bool, device=images.device)
        self.inside[top : top + height, left : left + width] = True
        self.lower = torch.where(self.inside, 0.0, images)
        self.upper = torch.where(self.inside, 1.0, images)

    @staticmethod
    def radius_of(eps: float) -> float:
        return 1.0

    def project(self, points: Tensor) -> Tensor:
        return torch.clamp(points, self.lower, self.upper)

    def steepest(self, gradient: Tensor) -> Tensor:
        return gradient.sign() * self.inside

    def random_start(self, noise: Noise, restart: int) -> Tensor:
        values = (noise.uniform(self.images.shape[1:], restart).to(self.images) + 1) / 2
        return torch.where(self.inside, values, self.images)


def patch_size(height: int, width: int, share: float) -> tuple[int, int]:
    """Height and width in pixels of the patch that covers this share of an image."""
    area = share * height * width
    side = max(round(math.sqrt(area)), 1)
    rows, columns = min(side, height), min(side, width)
    if rows < side:
        columns = min(round(area / rows), width)
    elif columns < side:
        rows = min(round(area / columns), height)
    return rows, columns

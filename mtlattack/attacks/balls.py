"""Where an attacker may go: ball ∩ [0, 1] around each image of a batch, exact to the last float.

A returned point p satisfies ‖p − x‖ ≤ ε in float64 arithmetic on the float32 values, not only up to rounding.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from mtlattack.attacks.noise import Noise
from mtlattack.attacks.norms import normalise, per_image

# Less than a float32 can show, more than a float64 sum over any image can be off.
_MARGIN = 2.0**-33


class Ball(ABC):
    """The points within `eps` of `images` (`[B, 3, H, W]` float32 in [0, 1]), inside the box [0, 1]."""

    def __init__(self, images: Tensor, eps: float) -> None:
        self.images = images
        self.eps = eps

    @abstractmethod
    def project(self, points: Tensor) -> Tensor:
        """Points of the set near `points` (`[B, 3, H, W]` float32); those inside come back as they are."""

    @abstractmethod
    def steepest(self, gradient: Tensor) -> Tensor:
        """The step of unit norm that climbs fastest along `gradient` `[B, 3, H, W]`; zero for a zero gradient."""

    @abstractmethod
    def random_start(self, noise: Noise, restart: int) -> Tensor:
        """Uniform in the ball, then brought into the box, `[B, 3, H, W]`."""


class LinfBall(Ball):
    """No pixel value moves by more than `eps`: with the box an interval a pixel, computed once."""

    def __init__(self, images: Tensor, eps: float) -> None:
        super().__init__(images, eps)
        self.lower = self._bound(-eps).clamp_min(0)
        self.upper = self._bound(eps).clamp_max(1)

    def project(self, points: Tensor) -> Tensor:
        return torch.clamp(points, self.lower, self.upper)

    def steepest(self, gradient: Tensor) -> Tensor:
        return gradient.sign()

    def random_start(self, noise: Noise, restart: int) -> Tensor:
        return self.project(self.images + self.eps * noise.uniform(self.images.shape[1:], restart).to(self.images))

    def _bound(self, offset: float) -> Tensor:
        """float32(x + offset), one float nearer to x where rounding left the ball."""
        x = _exact(self.images)
        bound = (x.double() + offset).float()
        outside = (bound.double() - x.double()).abs() > self.eps
        return torch.where(outside, torch.nextafter(bound, x), bound).to(self.images.device)


class L2Ball(Ball):
    """The perturbation of an image is no longer than `eps`."""

    def project(self, points: Tensor) -> Tensor:
        x, point = _exact(self.images), _exact(points)
        delta = point.double() - x.double()
        limit = self.eps * (1 - _MARGIN)
        length = per_image(torch.linalg.vector_norm(delta.flatten(1), dim=1))
        delta = delta * (limit / length.clamp_min(limit))
        scaled = (x.double() + delta).float()
        away = (scaled.double() - x.double()).abs() > delta.abs()
        scaled = torch.where(away, torch.nextafter(scaled, x), scaled)
        return torch.where(length > limit, scaled, point).clamp(0, 1).to(points.device)

    def steepest(self, gradient: Tensor) -> Tensor:
        return normalise(gradient, 2)

    def random_start(self, noise: Noise, restart: int) -> Tensor:
        return self.project(self.images + self.eps * noise.in_ball(self.images.shape[1:], restart).to(self.images))


def _exact(values: Tensor) -> Tensor:
    """`values` where there is float64 arithmetic: Apple's MPS has none."""
    return values.cpu() if values.device.type == "mps" else values

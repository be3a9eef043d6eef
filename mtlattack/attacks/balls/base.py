"""What a ball is, and the arithmetic that keeps points inside it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

from mtlattack.attacks.levels import from_levels, to_levels
from mtlattack.attacks.noise import Noise
from mtlattack.epsilon import LEVELS
from mtlattack.errors import InputError
from mtlattack.lazily import torch

if TYPE_CHECKING:
    from torch import Tensor

# Less than a float32 can show, more than a float64 sum over any image can be off.
MARGIN = 2.0**-33


class Lengths(Protocol):
    """What lengths of steps go by, of a ball or a threat."""

    @property
    def radius(self) -> float:
        """The unit in which steps are counted."""

    @property
    def diameter(self) -> float:
        """The first step of rules whose steps grow shorter: the longest that makes sense."""


class Ball(ABC):
    """The points that a threat of size `eps` allows around `images` (`[B, 3, H, W]` float32), all in the box [0, 1].

    `radius` is the unit in which steps are counted, in the norm in which `steepest` has length 1; rules whose steps
    grow shorter begin with `diameter`.
    """

    norm: ClassVar[str]
    largest_eps: ClassVar[float] = math.inf

    def __init__(self, images: Tensor, eps: float) -> None:
        self.images = images
        self.eps = eps
        self.radius, self.diameter = self.radius_of(eps), self.diameter_of(eps)

    @staticmethod
    def radius_of(eps: float) -> float:
        """The `radius` at this ε: ε itself where it is a length."""
        return eps

    @classmethod
    def diameter_of(cls, eps: float) -> float:
        """The `diameter` at this ε: from one end of the ball to the other."""
        return 2 * cls.radius_of(eps)

    @classmethod
    def check(cls, eps: float) -> None:
        """InputError for an ε that the norm has no use for."""
        if not 0 < eps <= cls.largest_eps or eps == math.inf:
            highest = "∞)" if cls.largest_eps == math.inf else f"{cls.largest_eps:g}]"
            raise InputError(f"eps {eps} is outside (0, {highest} for {cls.norm}")

    @staticmethod
    def largest_level(eps: float) -> int:
        """By how many whole grey levels of 255 one value may change at most where images are 8-bit."""
        return LEVELS

    @abstractmethod
    def project(self, points: Tensor) -> Tensor:
        """Points of the set near `points` (`[B, 3, H, W]` float32); those inside come back as they are."""

    @abstractmethod
    def steepest(self, gradient: Tensor) -> Tensor:
        """The step of length 1 that climbs fastest along `gradient` `[B, 3, H, W]`; zero for a zero gradient."""

    @abstractmethod
    def random_start(self, noise: Noise, restart: int) -> Tensor:
        """Uniform in the ball, then brought into the box, `[B, 3, H, W]`."""

    def quantized(self, points: Tensor) -> Tensor:
        """Points of the set whose values are grey levels k/255, near `points` of the set; the images must be 8-bit.

        A value whose level stays that of the image keeps the image's float. Each class says how it rounds.
        """
        x, point = exact(self.images), exact(points)
        change = self._whole_levels(LEVELS * (point.double() - x.double()))
        rounded = from_levels(to_levels(x) + change)
        return torch.where(change == 0, x, rounded).to(points.device)

    def _whole_levels(self, change: Tensor) -> Tensor:
        """Changes in whole grey levels, int64, for changes of an 8-bit image, float64 `[B, 3, H, W]`: the nearest."""
        return change.round().long()


def exact(values: Tensor) -> Tensor:
    """`values` where there is float64 arithmetic: Apple's MPS has none."""
    return values.cpu() if values.device.type == "mps" else values


def moved(x: Tensor, delta: Tensor) -> Tensor:
    """float32(x + delta) for float32 `x` and float64 `delta`, one float nearer to x where rounding went too far."""
    point = (x.double() + delta).float()
    away = (point.double() - x.double()).abs() > delta.abs()
    return torch.where(away, torch.nextafter(point, x), point)

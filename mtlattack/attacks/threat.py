"""What the attacker may do to an image."""

import math
from dataclasses import dataclass

from torch import Tensor

from mtlattack.attacks.balls import Ball, L2Ball, LinfBall
from mtlattack.errors import InputError, UnknownNameError

LEVELS = 255
_BALLS: dict[str, type[Ball]] = {"linf": LinfBall, "l2": L2Ball}


def in_image_units(eps: float, norm: str) -> float:
    """ε as files and people give it, for l_inf in grey levels of 255, as attacks take it: pixels are in [0, 1]."""
    return eps / LEVELS if norm == "linf" else eps


@dataclass(frozen=True)
class Threat:
    """A perturbation of norm at most `eps` that keeps the image in [0, 1]; printed like `linf 8/255` or `l2 0.5`.

    `norm` is "linf" (0 < eps ≤ 1) or "l2" (eps > 0, over all pixels and channels). UnknownNameError, InputError
    otherwise.
    """

    norm: str
    eps: float

    def __post_init__(self) -> None:
        if self.norm not in _BALLS:
            raise UnknownNameError("norm", self.norm, _BALLS)
        if isinstance(self.eps, bool) or not isinstance(self.eps, int | float):
            raise InputError(f"eps {self.eps!r} is not a number")
        if self.norm == "linf" and not 0 < self.eps <= 1:
            hint = f"; did you mean {self.eps:g}/255?" if 1 < self.eps <= 255 else ""
            raise InputError(f"eps {self.eps} is outside (0, 1]{hint}")
        if not 0 < self.eps < math.inf:
            raise InputError(f"eps {self.eps} is outside (0, ∞)")

    def ball(self, images: Tensor) -> Ball:
        """The points that are allowed around `images`, `[B, 3, H, W]` float32 in [0, 1]."""
        return _BALLS[self.norm](images, float(self.eps))

    def __str__(self) -> str:
        return f"linf {self.eps * 255:g}/255" if self.norm == "linf" else f"{self.norm} {self.eps:g}"

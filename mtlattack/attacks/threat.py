"""What the attacker may do to an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtlattack.attacks.balls import BALLS, Ball
from mtlattack.attacks.levels import check_levels
from mtlattack.epsilon import threat_text
from mtlattack.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Threat:
    """A perturbation of norm at most `eps` that keeps the image in [0, 1]; printed like `linf 8/255` or `l2 0.5`.

    | `norm` | `eps` | what it bounds |
    |---|---|---|
    | `linf` | 0 < eps ≤ 1 | the change of every value |
    | `l2`, `l1` | eps > 0 | the length, or the sum, of the changes of all values of all channels |
    | `l0` | a whole number from 1 to H·W | the pixels that change, to any colour |
    | `patch` | 0 < eps ≤ 1 | the share of the area that one square covers: in the middle, where any colour may be |

    `quantized`: an 8-bit image becomes an 8-bit image, which survives saving; `linf` then counts whole grey levels.
    UnknownNameError, InputError for anything else.
    """

    norm: str
    eps: float
    quantized: bool = False

    def __post_init__(self) -> None:
        if self.norm not in BALLS:
            raise UnknownNameError("norm", self.norm, BALLS)
        if isinstance(self.eps, bool) or not isinstance(self.eps, int | float):
            raise InputError(f"eps {self.eps!r} is not a number")
        if not isinstance(self.quantized, bool):
            raise InputError(f"quantized {self.quantized!r} is neither true nor false")
        BALLS[self.norm].check(self.eps)
        if self.quantized and BALLS[self.norm].largest_level(self.eps) < 1:
            raise InputError(f"eps {self.eps:g} ({self.norm}) is too small for 8-bit images: no grey level can change")

    @property
    def radius(self) -> float:
        """The unit of the lengths of steps: ε itself for `linf` and `l2`; the others' balls say theirs."""
        return BALLS[self.norm].radius_of(float(self.eps))

    @property
    def diameter(self) -> float:
        """The length of the first step of rules whose steps grow shorter."""
        return BALLS[self.norm].diameter_of(float(self.eps))

    def ball(self, images: Tensor) -> Ball:
        """The points that are allowed around `images`, `[B, 3, H, W]` float32 in [0, 1], before any rounding.

        InputError for more pixels than the images have.
        """
        return BALLS[self.norm](images, float(self.eps))

    def check(self, images: Tensor) -> None:
        """InputError if the threat is for 8-bit images and these, `[B, 3, H, W]` in [0, 1], are none."""
        if self.quantized:
            check_levels(images)

    def settle(self, images: Tensor, points: Tensor) -> Tensor:
        """`points` of the ball around `images` as they are handed over: 8-bit where the threat says so."""
        return self.ball(images).quantized(points) if self.quantized else points

    def excess(self, images: Tensor, points: Tensor) -> Tensor:
        """By how much each of `points` `[B, 3, H, W]` is outside the ball and box around `images`, `[B]`: the largest
        change of a value that would bring it inside, 0 where it is; ∞ where it is not finite."""
        inside = self.ball(images).project(points)
        return (points - inside).abs().flatten(1).amax(1).nan_to_num(float("inf"))

    def config(self) -> dict[str, Any]:
        """What makes the threat again, plain JSON types; `quantized` only where it is."""
        return {"norm": self.norm, "eps": float(self.eps)} | ({"quantized": True} if self.quantized else {})

    def __str__(self) -> str:
        return threat_text(self.norm, self.eps, self.quantized)

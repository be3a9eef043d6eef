"""l_1: a sum of changes, to be spent where they pay most."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mtlattack.attacks.balls.base import MARGIN, Ball, exact, moved
from mtlattack.attacks.balls.rounding import budget_of, largest_remainders
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.norms import norm, normalise, per_image
from mtlattack.lazily import torch

if TYPE_CHECKING:
    from torch import Tensor

# Budgets ε that are spent on the values a step moves. One would do for a linear loss; what a network loses by one value
# saturates, and on the rooms model 16 led to a stronger attack than 1, 4 and 8.
_SUPPORT = 16
# The projection takes most of a step back from the values that lead: steps are longer than in l_2.
_STEP_UNIT = 2.0


class L1Ball(Ball):
    """The changes of all values of an image sum up to at most `eps` > 0. Steps are counted in `radius`, 2 ε.

    Rounding to 8 bits is by largest remainders: see `rounding`.
    """

    norm: ClassVar[str] = "l1"

    @staticmethod
    def radius_of(eps: float) -> float:
        return _STEP_UNIT * eps

    @staticmethod
    def largest_level(eps: float) -> int:
        return int(budget_of(eps))

    def project(self, points: Tensor) -> Tensor:
        """The nearest point of ball ∩ box (Croce & Hein 2021, arXiv 2103.01208, proposition 2.1).

        Each change shrinks by the same λ and stops at 0 and at the box. In the ball alone, then cut to the box, most of
        the budget would be lost.
        """
        x, point = exact(self.images), exact(points)
        delta = point.double() - x.double()
        size = delta.abs()
        room = torch.where(delta > 0, 1 - x.double(), x.double())
        limit = self.eps * (1 - MARGIN)
        shrunk = torch.minimum((size - per_image(_shrinkage(size, room, limit))).clamp_min(0), room)
        shrunk = shrunk * (limit / per_image(norm(shrunk, 1)).clamp_min(limit))
        # Half a margin more than what it is shrunk to: a point that was projected is inside.
        outside = per_image(norm(torch.minimum(size, room), 1)) > self.eps * (1 - MARGIN / 2)
        return torch.where(outside, moved(x, delta.sign() * shrunk), point).clamp(0, 1).to(points.device)

    def steepest(self, gradient: Tensor) -> Tensor:
        """g/‖g‖₁ on the values whose |g| is largest, 0 elsewhere.

        As in SLIDE (Tramèr & Boneh 2019, arXiv 1904.13000) few values move, but not a fixed share: as many as 16 ε can
        take to the end of the box, one after the other. A value that the box holds where it is, as seen from the image,
        is left out.
        """
        x = exact(self.images).double()
        size = exact(gradient).abs().double()
        room = torch.where(exact(gradient) > 0, 1 - x, x)
        size = torch.where(room > 0, size, 0.0).flatten(1)
        order = size.argsort(dim=1, descending=True, stable=True)
        spent = room.flatten(1).gather(1, order).cumsum(1)
        spent_before = torch.cat([torch.zeros_like(spent[:, :1]), spent[:, :-1]], 1)
        chosen = torch.zeros_like(size).scatter(1, order, (spent_before < _SUPPORT * self.eps).double())
        step = (size * chosen).view_as(room).to(gradient) * gradient.sign()
        return normalise(step, 1)

    def random_start(self, noise: Noise, restart: int) -> Tensor:
        return self.project(self.images + self.eps * noise.in_l1_ball(self.images.shape[1:], restart).to(self.images))

    def _whole_levels(self, change: Tensor) -> Tensor:
        return largest_remainders(change, int(budget_of(self.eps)), lambda level: level)


def _shrinkage(size: Tensor, room: Tensor, limit: float) -> Tensor:
    """λ `[B]` with Σ clip(size − λ, 0, room) = limit; without meaning where the sum is less at λ = 0.

    The sum is piecewise linear in λ. Downward from +∞ its slope grows by 1 at each `size`, where a value starts to
    change, and falls by 1 at each `size − room`, where it meets the box: sorted, these are all the corners there are.
    """
    size, room = size.flatten(1), room.flatten(1)
    corners, order = torch.cat([size, size - room], 1).sort(1, descending=True)
    slope = torch.where(order < size.shape[1], 1, -1).cumsum(1)[:, :-1]
    steps = slope * (corners[:, :-1] - corners[:, 1:])
    sums = torch.cat([torch.zeros_like(steps[:, :1]), steps.cumsum(1)], 1)
    last = ((sums < limit).sum(1, keepdim=True) - 1).clamp_max(slope.shape[1] - 1)
    missing = limit - sums.gather(1, last)
    return (corners.gather(1, last) - missing / slope.gather(1, last).clamp_min(1)).squeeze(1)

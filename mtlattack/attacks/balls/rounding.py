"""Rounding to whole grey levels inside a budget that all values of an image share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mtlattack.epsilon import LEVELS

if TYPE_CHECKING:
    from torch import Tensor

# What the float32 values k'/255 and k/255 can be off, two halves of 2^-24, is less than this share of one level.
_SHARE = 2.0**-16


def budget_of(eps: float) -> float:
    """ε in grey levels, less what keeps the ball also when the levels are floats again."""
    return LEVELS * eps * (1 - _SHARE)


def largest_remainders(change: Tensor, budget: int, cost: Callable[[Tensor], Tensor]) -> Tensor:
    """Whole levels, int64, for changes `[B, 3, H, W]` float64 in levels, whose costs sum up to at most `budget`.

    Every value is rounded toward zero, which can only shrink; then those with the largest remainders go one level
    outward after all, equal ones in the order of their index, as many as the budget holds. `cost` of a whole level, an
    integer, grows from 0 with it.
    Plain rounding would leave the ball, or lose a perturbation of less than half a level a value.
    """
    size = (change.abs() * (1 - _SHARE)).flatten(1)
    whole = size.floor()
    remainder, order = (size - whole).sort(dim=1, descending=True, stable=True)
    level = whole.long()
    paid = cost(level).sum(1, keepdim=True)
    further = (cost(level + 1) - cost(level)).gather(1, order).cumsum(1)
    outward = (further <= budget - paid) & (remainder > 0)
    level = level.scatter_add(1, order, outward.long())
    return level.view_as(change) * change.sign().long()

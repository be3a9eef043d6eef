"""A number that a task is judged by, and what a value of it is worth."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtlattack.errors import InputError


@dataclass(frozen=True)
class Metric:
    """One number that a task is judged by: its unit, and whether more is better.

    `maximum` is the best value that a score can have; an error has none, for its best is 0.
    """

    name: str
    unit: str
    higher_is_better: bool
    maximum: float | None = None

    def __post_init__(self) -> None:
        if self.higher_is_better != (self.maximum is not None):
            raise InputError(
                f"metric {self.name}: maximum {self.maximum}, expected one for a score and none for an error"
            )

    @property
    def title(self) -> str:
        """`miou % ↑`: name, unit, and which way is better."""
        return " ".join(filter(None, (self.name, self.unit, "↑" if self.higher_is_better else "↓")))

    def skill(self, value: ArrayLike, constant: ArrayLike) -> NDArray[np.float64]:
        """How much better `value` is than that of the best constant answer, elementwise: 1 perfect, 0 no better.

        1 − e/e_constant for an error, (s − s_constant)/(maximum − s_constant) for a score; below 0 what is worse than
        the constant, NaN where that is perfect itself or where one of both is NaN.
        """
        value, constant = np.asarray(value, np.float64), np.asarray(constant, np.float64)
        best = 0.0 if self.maximum is None else self.maximum
        return divide(constant - value, constant - best) + 0.0  # 0 and not −0 for the constant itself.


def divide(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """Elementwise quotient in float64, NaN where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.full(shape, np.nan), where=denominator != 0)

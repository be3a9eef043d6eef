"""Losses of a linear prediction z = w·x + b, with the derivatives that an attack on training data needs.

Labels are numbers for regression and 0 or 1 for classification. Both losses
have ∂²ℓ/∂z∂y = −1, which the gradient in a label uses.
"""

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]


class Loss(Protocol):
    """ℓ(z, y) elementwise, `[n]` each."""

    name: ClassVar[str]

    def value(self, z: Array, y: Array) -> Array:
        """ℓ."""
        ...

    def first(self, z: Array, y: Array) -> Array:
        """ℓ′, the derivative in z."""
        ...

    def second(self, z: Array) -> Array:
        """ℓ″, the second derivative in z, which is the same for all labels."""
        ...


class Squared:
    """ℓ = ½(z − y)²."""

    name: ClassVar[str] = "squared"

    def value(self, z: Array, y: Array) -> Array:
        return 0.5 * (z - y) ** 2

    def first(self, z: Array, y: Array) -> Array:
        return z - y

    def second(self, z: Array) -> Array:
        return np.ones_like(z)


class Logistic:
    """ℓ = log(1 + eᶻ) − y·z, all of it from e^−|z|, which neither overflows nor loses small values."""

    name: ClassVar[str] = "logistic"

    def value(self, z: Array, y: Array) -> Array:
        return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - y * z

    def first(self, z: Array, y: Array) -> Array:
        small = np.exp(-np.abs(z))
        return np.where(z >= 0, 1, small) / (1 + small) - y

    def second(self, z: Array) -> Array:
        small = np.exp(-np.abs(z))
        return small / (1 + small) ** 2

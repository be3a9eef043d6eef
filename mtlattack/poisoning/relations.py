"""How tasks pull on each other: the penalty on W `[d, T]`, with the task covariance Ω eliminated or held fixed.

min over Ω ⪰ 0, tr Ω = 1 of tr((WᵀW + ςI) Ω⁻¹) is (tr S)², S = (WᵀW + ςI)^{1/2}, taken at Ω = S / tr S: with Ω
eliminated, relationship learning (Zhang & Yeung 2010, eq. 4) is convex in W alone, with penalty (λ₂/2)(tr S)².
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mtlattack.poisoning.losses import Array


class Curved(Protocol):
    """A penalty at one W: its value there, its gradient, and its second derivative."""

    value: float
    gradient: Array
    metric: tuple[Array, Array]
    """Values `[T]` and orthonormal vectors `[T, T]` of a matrix A with product(V) ≈ V·A: a preconditioner's part."""

    def product(self, direction: Array) -> Array:
        """The second derivative applied to `[d, T]`."""
        ...


class Penalty(Protocol):
    """A convex penalty on W."""

    def at(self, weights: Array) -> Curved:
        """Itself at W `[d, T]`."""
        ...


@dataclass(frozen=True)
class Learned:
    """(λ₂/2)(tr S)²: Ω is whatever is best for W."""

    strength: float
    smoothing: float

    def at(self, weights: Array) -> "LearnedAt":
        return LearnedAt(self, weights)


class LearnedAt:
    """The penalty in the basis of W's right singular vectors, in which S is diagonal."""

    def __init__(self, penalty: Learned, weights: Array) -> None:
        dimension, count = weights.shape
        # Of WᵀW the small eigenvalues would be lost in the rounding of the large ones; W's singular values are not.
        left, sigma, right = np.linalg.svd(weights, full_matrices=dimension < count)
        rank = len(sigma)
        self._basis = right.T
        self._scaled = left[:, :rank] * sigma  # W in this basis, whose further columns are zero
        self._roots = np.sqrt(np.pad(sigma, (0, count - rank)) ** 2 + penalty.smoothing)
        self._sums = self._roots[:rank, None] + self._roots
        self._trace = float(self._roots.sum())
        self._strength = penalty.strength
        self.value = 0.5 * penalty.strength * self._trace**2
        self._unit = self._scaled / self._roots[:rank]  # W S⁻¹
        self.gradient = penalty.strength * self._trace * self._unit @ self._basis[:, :rank].T
        self.metric = penalty.strength * self._trace / self._roots, self._basis

    @property
    def covariance(self) -> Array:
        """Ω = S / tr S `[T, T]`."""
        return (self._basis * (self._roots / self._trace)) @ self._basis.T

    def as_fixed(self) -> "Fixed":
        """The penalty with Ω held where it is now."""
        return Fixed(self._strength, self._roots / self._trace, self._basis)

    def product(self, direction: Array) -> Array:
        """λ₂[tr S·V S⁻¹ + tr(dS)·W S⁻¹ − tr S·W S⁻¹ dS S⁻¹], where S·dS + dS·S = VᵀW + WᵀV."""
        turned = direction @ self._basis
        rank = self._unit.shape[1]
        # Sylvester's equation, entry by entry where S is diagonal: of dS the rows that W S⁻¹, with its zeros, reads.
        change = self._scaled.T @ turned
        change[:, :rank] += change[:, :rank].T.copy()
        root_change = change / self._sums
        result = self._trace * turned
        result -= self._trace * (self._unit @ root_change)
        result /= self._roots
        result[:, :rank] += np.trace(root_change) * self._unit
        return self._strength * result @ self._basis.T


@dataclass(frozen=True)
class Fixed:
    """(λ₂/2) tr(W Ω⁻¹ Wᵀ) with Ω held fixed: a step of the alternating solver, and the attack's `omega="frozen"`.

    Ω is given by its values `[T]`, all positive, and its vectors `[T, T]`.
    """

    strength: float
    values: Array
    vectors: Array

    def at(self, weights: Array) -> "FixedAt":
        return FixedAt(self, weights)


class FixedAt:
    """A quadratic penalty: its second derivative is the same everywhere."""

    def __init__(self, penalty: Fixed, weights: Array) -> None:
        self.metric = penalty.strength / penalty.values, penalty.vectors
        self.gradient = self.product(weights)
        self.value = 0.5 * float(np.vdot(weights, self.gradient))

    def product(self, direction: Array) -> Array:
        values, vectors = self.metric
        return (direction @ vectors * values) @ vectors.T


def correlation(covariance: Array) -> Array:
    """Ω_ij / √(Ω_ii Ω_jj) `[T, T]`."""
    deviations = np.sqrt(np.diag(covariance))
    return covariance / np.outer(deviations, deviations)

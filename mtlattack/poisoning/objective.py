"""The lower level: what relationship learning minimises, and its second derivative as a linear operator."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from mtlattack.poisoning.data_term import DataTerm
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.relations import Curved, Penalty


@dataclass(frozen=True)
class Objective:
    """F = Σ_i (1/n_i) Σ ℓ(w_iᵀx, y) + (λ₁/2)‖W‖² + penalty(W), over parameters `[D, T]`.

    `dimension` is d: the rows of W; a further row, the intercepts, is penalised by nothing.
    """

    data: DataTerm
    penalty: Penalty
    ridge: float
    dimension: int

    def at(self, parameters: Array) -> "ObjectiveAt":
        """Itself at one place."""
        return ObjectiveAt(self, parameters)


class ObjectiveAt:
    """Value, gradient and curvature at one place; the curvature of the data is computed when first asked for."""

    def __init__(self, objective: Objective, parameters: Array) -> None:
        self._objective, self.parameters = objective, parameters
        weights = parameters[: objective.dimension]
        self.penalty: Curved = objective.penalty.at(weights)
        self.value = float(objective.data.losses(parameters).sum()) + self.penalty.value
        self.value += 0.5 * objective.ridge * float(np.vdot(weights, weights))
        self.gradient = objective.data.gradient(parameters)
        self.gradient[: objective.dimension] += objective.ridge * weights + self.penalty.gradient

    def solve(self, right: Array, relative: float, penalty: Curved | None = None) -> Array:
        """X `[D, T]` with H·X = `right`, to a residual of `relative`·‖right‖, by conjugate gradients.

        H is the second derivative here, with another penalty's if one is given.
        """
        penalty = penalty or self.penalty
        objective, shape = self._objective, self.parameters.shape
        dimension = objective.dimension
        curvature = objective.data.curvature(self.parameters)

        def product(flat: Array) -> Array:
            direction = flat.reshape(shape)
            result = (curvature @ direction.T[:, :, None])[:, :, 0].T
            result[:dimension] += objective.ridge * direction[:dimension] + penalty.product(direction[:dimension])
            return result.ravel()

        size = right.size
        operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
        preconditioner = self._preconditioner(curvature, penalty)
        solution, _ = cg(operator, right.ravel(), rtol=relative, atol=0.0, maxiter=20 * size, M=preconditioner)
        return solution.reshape(shape)

    def _preconditioner(self, curvature: Array, penalty: Curved) -> LinearOperator:
        """The inverse of H as it would be if all tasks had the same curvature and Ω did not move."""
        dimension, shape = self._objective.dimension, self.parameters.shape
        mean = curvature.mean(0)
        values, vectors = np.linalg.eigh(mean[:dimension, :dimension])
        of_penalty, basis = penalty.metric
        scale = values[:, None].clip(0) + self._objective.ridge + of_penalty
        floor = np.finfo(np.float64).eps * float(scale.max())
        scale = scale.clip(floor)
        intercepts = np.diagonal(curvature, axis1=1, axis2=2)[:, dimension:].T.clip(floor)

        def apply(flat: Array) -> Array:
            direction = flat.reshape(shape)
            result = np.empty_like(direction)
            result[:dimension] = vectors @ ((vectors.T @ direction[:dimension] @ basis) / scale) @ basis.T
            result[dimension:] = direction[dimension:] / intercepts
            return result.ravel()

        size = self.parameters.size
        return LinearOperator((size, size), matvec=apply, dtype=np.float64)

"""How the targets' loss changes with the injected points: implicit differentiation of the lower level."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mtlattack.poisoning.data_term import DataTerm
from mtlattack.poisoning.losses import Array, Loss
from mtlattack.poisoning.objective import ObjectiveAt
from mtlattack.poisoning.relations import LearnedAt
from mtlattack.poisoning.tasks import Points


class Omega(StrEnum):
    """Whether the gradient knows that the task covariance moves with the weights."""

    EXACT = "exact"
    FROZEN = "frozen"


@dataclass(frozen=True)
class Utility:
    """U = Σ over targets of the mean loss on their clean points (Zhao et al. 2018, eq. 3; means where it has sums)."""

    clean: DataTerm
    targets: tuple[int, ...]

    def value(self, parameters: Array) -> float:
        """U."""
        return float(self.clean.losses(parameters)[list(self.targets)].sum())

    def gradient(self, parameters: Array) -> Array:
        """∇U in the parameters `[D, T]`: zero but for the targets."""
        result = np.zeros_like(parameters)
        chosen = list(self.targets)
        result[:, chosen] = self.clean.gradient(parameters)[:, chosen]
        return result


def poison_gradient(
    at: ObjectiveAt,
    utility: Utility,
    injected: Mapping[int, Points],
    sizes: Array,
    loss: Loss,
    omega: Omega = Omega.EXACT,
    relative: float = 1e-8,
) -> dict[int, Points]:
    """∂U/∂x̂ `[m, D]` and ∂U/∂ŷ `[m]` by task, at the lower level's minimum `at`, for `injected` points and labels.

    With H·v = ∇U, for a point of task a: ∂U/∂x̂ = −(1/n_a)[ℓ″·(x̂ᵀv_a)·w_a + ℓ′·v_a] and ∂U/∂ŷ = (1/n_a)·x̂ᵀv_a. `sizes`
    `[T]` holds n_a, injected points counted; `relative` is the residual of H·v. `omega="frozen"` leaves out of H that Ω
    moves.
    """
    penalty = at.penalty
    if omega is Omega.FROZEN:
        assert isinstance(penalty, LearnedAt)
        penalty = penalty.as_fixed().at(at.parameters[: len(penalty.gradient)])
    adjoint = at.solve(utility.gradient(at.parameters), relative, penalty)
    return {
        task: _of_task(points, at.parameters[:, task], adjoint[:, task], sizes[task], loss)
        for task, points in injected.items()
    }


def _of_task(points: Points, weights: Array, adjoint: Array, size: float, loss: Loss) -> Points:
    x, y = points
    z, along = x @ weights, x @ adjoint
    features = np.outer(loss.second(z) * along, weights) + np.outer(loss.first(z, y), adjoint)
    return -features / size, along / size

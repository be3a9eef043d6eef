"""Relationship learning, described: its constants, and the two solvers of it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mtlattack.errors import InputError
from mtlattack.poisoning.alternating import alternate
from mtlattack.poisoning.data_term import DataTerm, data_term
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.newton import Solution, minimise
from mtlattack.poisoning.objective import Objective
from mtlattack.poisoning.relations import Learned
from mtlattack.poisoning.tasks import Kind, TaskSet


class Solver(StrEnum):
    """Newton with conjugate gradients on W alone, or the paper's turns of W and Ω."""

    NEWTON = "newton"
    ALTERNATING = "alternating"


@dataclass(frozen=True)
class Learner:
    """min over W, b, Ω of Σ_i (1/n_i) Σ ℓ(w_iᵀx + b_i, y) + (λ₁/2)‖W‖² + (λ₂/2) tr((WᵀW + ςI) Ω⁻¹), tr Ω = 1.

    Zhang & Yeung 2010, eq. 4, with the smoothing ς that keeps Ω regular. InputError for λ₁ or λ₂ below 0, both 0 (then
    points that are too few leave W open), or ς ≤ 0 (then Ω is singular wherever W is of low rank, and has no inverse).
    """

    ridge: float = 0.01
    relation: float = 0.01
    smoothing: float = 1e-3
    intercept: bool = True

    def __post_init__(self) -> None:
        for name, value in (("ridge", self.ridge), ("relation", self.relation)):
            if not 0 <= value < np.inf:
                raise InputError(f"{name} {value!r}, expected a number from 0 on")
        if self.ridge == self.relation == 0:
            raise InputError("ridge 0 and relation 0 leave the weights open where points are few; make one positive")
        if not 0 < self.smoothing < np.inf:
            raise InputError(f"smoothing {self.smoothing!r}, expected a positive number: 0 makes Ω singular")

    def data(self, tasks: TaskSet) -> DataTerm:
        """What the points of these tasks say; InputError for an intercept that has no optimum."""
        if self.intercept and tasks.kind is Kind.CLASSIFICATION:
            for name, (_, labels) in zip(tasks.names, tasks.points, strict=True):
                if labels.min() == labels.max():
                    raise InputError(
                        f"all points of task {name!r} have label {labels[0]:g}: its intercept has no optimum; "
                        "leave the task out, or learn without intercepts"
                    )
        return data_term(tasks, self.intercept)

    def objective(self, data: DataTerm, dimension: int) -> Objective:
        """The lower level over these data with `dimension` features."""
        return Objective(data, Learned(self.relation, self.smoothing), self.ridge, dimension)

    def start(self, tasks: TaskSet) -> Array:
        """Zeros `[D, T]`."""
        return np.zeros((tasks.dimension + self.intercept, len(tasks)))

    def fit(
        self, tasks: TaskSet, solver: Solver | str = Solver.NEWTON, tolerance: float = 1e-10, most: int = 2000
    ) -> Solution:
        """The minimum, from zeros; `most` steps or turns at most, so look at its stationarity."""
        objective = self.objective(self.data(tasks), tasks.dimension)
        solve = minimise if Solver(solver) is Solver.NEWTON else alternate
        return solve(objective, self.start(tasks), tolerance, most)

"""The integer program of one image as PuLP states it."""

from dataclasses import dataclass

import numpy as np
import pulp
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ImageProgram:
    """max t, such that offset_i + Σ_j h_ij δ_j ≥ t for the rows of `wanted` `[M, C, P]`, and ≥ 0 for those of `spared`;
    δ_j ∈ {−1, 0, 1}; of the pixels in region r (`regions` `[P]`) at most `budgets[r]` change, if there are budgets.

    Rows are to have mean |h| about 1: the solvers' tolerances are absolute. `offsets` has a number a row.
    """

    wanted: Floats
    spared: Floats
    offsets: Floats
    regions: NDArray[np.int64]
    budgets: tuple[int, ...] | None

    @property
    def ceiling(self) -> float:
        """No solution of the relaxation reaches higher."""
        return float((self.offsets[: len(self.wanted)] + np.abs(self.wanted).sum((1, 2))).min())

    def state(self) -> tuple[pulp.LpProblem, list[pulp.LpVariable]]:
        """The problem, and δ, channel by channel."""
        _, channels, pixels = self.wanted.shape
        problem = pulp.LpProblem("step", pulp.LpMaximize)
        delta = [
            problem.add_variable(f"d_{c}_{p}", -1, 1, pulp.LpInteger) for c in range(channels) for p in range(pixels)
        ]
        least = problem.add_variable("t")
        problem.setObjective(least)
        for i, row in enumerate([*self.wanted, *self.spared]):
            terms = list(zip(delta, row.ravel().tolist(), strict=True))
            if i < len(self.wanted):
                terms.append((least, -1.0))
            problem += pulp.LpAffineExpression(terms, float(self.offsets[i])) >= 0
        if self.budgets is not None:
            self._limit(problem, delta)
        return problem, delta

    def _limit(self, problem: pulp.LpProblem, delta: list[pulp.LpVariable]) -> None:
        assert self.budgets is not None
        pixels = len(self.regions)
        changed = [problem.add_variable(f"z_{p}", cat=pulp.LpBinary) for p in range(pixels)]
        for j, value in enumerate(delta):
            problem += value <= changed[j % pixels]
            problem += -value <= changed[j % pixels]
        for region, budget in enumerate(self.budgets):
            problem += pulp.lpSum(changed[p] for p in np.flatnonzero(self.regions == region)) <= budget

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

    `offsets` has a number a row. What PuLP gets has rows of mean |h| = 1 and t in `unit`s: the solvers' tolerances are
    absolute, and tasks may differ by orders of magnitude.
    """

    wanted: Floats
    spared: Floats
    offsets: Floats
    regions: NDArray[np.int64]
    budgets: tuple[int, ...] | None

    @property
    def unit(self) -> float:
        """What the objective is counted in: the mean |h| of the smallest row of `wanted` that is not 0."""
        sizes = _sizes(self.wanted)
        return float(sizes.min(initial=np.inf, where=sizes > 0)) if sizes.any() else 1.0

    @property
    def ceiling(self) -> float:
        """No solution of the relaxation reaches higher."""
        return float((self.offsets[: len(self.wanted)] + np.abs(self.wanted).sum((1, 2))).min())

    def state(self) -> tuple[pulp.LpProblem, list[pulp.LpVariable]]:
        """The problem, its objective in `unit`s, and δ, channel by channel."""
        _, channels, pixels = self.wanted.shape
        problem = pulp.LpProblem("step", pulp.LpMaximize)
        delta = [
            problem.add_variable(f"d_{c}_{p}", -1, 1, pulp.LpInteger) for c in range(channels) for p in range(pixels)
        ]
        least = problem.add_variable("t")
        problem.setObjective(least)
        rows = np.concatenate([self.wanted, self.spared])
        sizes = _sizes(rows)
        sizes[sizes == 0] = self.unit
        for i, (row, size) in enumerate(zip(rows, sizes, strict=True)):
            terms = list(zip(delta, (row / size).ravel().tolist(), strict=True))
            if i < len(self.wanted):
                terms.append((least, -self.unit / size))
            problem += pulp.LpAffineExpression(terms, float(self.offsets[i] / size)) >= 0
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


def _sizes(rows: Floats) -> Floats:
    """Mean |h| of rows `[M, C, P]`, `[M]`."""
    sizes: Floats = np.abs(rows).mean((1, 2))
    return sizes

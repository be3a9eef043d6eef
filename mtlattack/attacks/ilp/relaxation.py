"""A program's relaxation, solved by its dual: a certified bound, and what to round."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mtlattack.attacks.ilp.dual import minimise
from mtlattack.attacks.ilp.programs import TOLERANCE, Program
from mtlattack.attacks.ilp.rounding import chosen, thresholds
from mtlattack.attacks.ilp.rows import Rows


@dataclass(frozen=True)
class Relaxation:
    """The best `mixture` `[B, C, R, S]` of the rows, its `chosen` pixels `[B, R, S]` (all without budgets), and `bound`
    `[B]`: no step's gain, over the number of values, is larger.

    max_δ Σ_i w_i h_i·δ for any w ≥ 0 of sum 1 over the objectives is such a bound; an l_1 norm, or the sum of the
    largest pixels of each region.
    """

    rows: Rows
    mixture: Tensor
    chosen: Tensor
    bound: Tensor

    @classmethod
    def of(cls, program: Program) -> "Relaxation":
        rows = Rows.of(program)
        weights = minimise(rows)
        mixture = rows.mixture(weights)
        worth = mixture.abs().sum(1)
        best = chosen(worth, rows.budgets)
        # Protected tasks may gain a little, for rounding errors' sake: then the others may gain a little more.
        allowance = TOLERANCE * weights[:, rows.objectives :].sum(1)
        bound = (worth * best).flatten(1).sum(1) / rows.count + allowance
        bound = bound / weights[:, : rows.objectives].sum(1)
        # No task alone gains more than all that it has.
        alone = rows.values[:, : rows.objectives].abs().flatten(2).sum(2).amin(1) / rows.count
        return cls(rows, mixture, best, torch.minimum(bound, alone))

    @property
    def step(self) -> Tensor:
        """The best step for the mixture, `[B, C, R, S]` in {−1, 0, 1}."""
        return self.mixture.sign() * self.chosen[:, None]

    @property
    def indifference(self) -> Tensor:
        """What the mixture loses at least if a pixel is chosen otherwise, or one of its values has the other sign,
        `[B, R, S]`."""
        flip = 2 * self.mixture.abs().amin(1)
        if self.rows.budgets is None:
            return flip
        worth = self.mixture.abs().sum(1)
        apart = (worth - thresholds(worth, self.rows.budgets)[..., None]).abs()
        return torch.minimum(apart, torch.where(self.chosen, flip, torch.inf))

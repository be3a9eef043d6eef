"""The dual function with its kinks rounded off: value, gradient and curvature in the weights."""

import torch
from torch import Tensor

from mtlattack.attacks.ilp.rounding import thresholds
from mtlattack.attacks.ilp.rows import Rows


class SmoothedDual:
    """mean_j |u_j| of a mixture u = Σ_i w_i h_i; with budgets the k_r largest s_p of every region r, summed, over the
    number of values, where s_p is the sum of |u| over the channels of a pixel.

    That sum is min_λ Σ_r k_r λ_r + Σ_p max(0, s_p − λ_r(p)). Smoothed to a width μ `[B]`: |u| becomes √(u² + μ²),
    max(0, a) becomes (a + √(a² + ν²))/2 with ν = Cμ, and λ is one Newton step from between the two s that it parts.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._flat = rows.values.flatten(2)
        self._budgets = rows.values.new_tensor(rows.budgets or ())

    def mix(self, weights: Tensor) -> Tensor:
        """u `[B, C·R·S]`."""
        return (weights[:, None] @ self._flat)[:, 0]

    def exact(self, mixed: Tensor) -> Tensor:
        """Without smoothing, `[B]`."""
        if self._rows.budgets is None:
            return mixed.abs().sum(1) / self._rows.count
        worth = self._pixels(mixed.abs())
        levels = thresholds(worth, self._rows.budgets)
        above = (worth - levels[..., None]).clamp_min(0).sum(2)
        return (self._budgets * levels + above).sum(1) / self._rows.count

    def value(self, mixed: Tensor, width: Tensor) -> Tensor:
        """Smoothed, `[B]`."""
        rounded = (mixed.square() + width.square()[:, None]).sqrt()
        if self._rows.budgets is None:
            return rounded.sum(1) / self._rows.count
        worth, wide = self._pixels(rounded), self._wide(width)
        levels = self._levels(worth, wide)
        excess = worth - levels[..., None]
        above = ((excess + (excess.square() + wide).sqrt()) / 2).sum(2)
        return (self._budgets * levels + above).sum(1) / self._rows.count

    def derivatives(self, mixed: Tensor, width: Tensor, above: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient `[B, M]` and curvature `[B, M, M]` of the smoothed function, its width > 0; for images in the mask
        `above` `[B]` the curvature of parabolas that touch it from above, along which no step is too long."""
        rounded = (mixed.square() + width.square()[:, None]).sqrt()
        slope = mixed / rounded
        bend = torch.where(above[:, None], 1, (width[:, None] / rounded).square()) / rounded
        count = self._rows.count
        if self._rows.budgets is None:
            return (self._flat @ slope[..., None])[..., 0] / count, self._gram(bend) / count
        worth, wide = self._pixels(rounded), self._wide(width)
        excess = worth - self._levels(worth, wide)[..., None]
        root = (excess.square() + wide).sqrt()
        share, turn = (1 + excess / root) / 2, torch.where(above[:, None, None], 1, wide / root.square()) / root / 2
        along = self._pixels(self._flat * slope[:, None])
        turned = along * turn[:, None]
        # The levels follow the weights: what a region's pixels have in common moves its level and no pixel over it.
        common, whole = turned.sum(3), turn.sum(2).clamp_min(1e-300)
        curvature = self._gram(bend * share[:, None].expand(-1, self._rows.values.shape[2], -1, -1).flatten(1))
        curvature = curvature + turned.flatten(2) @ along.flatten(2).mT - (common / whole[:, None]) @ common.mT
        return (along.flatten(2) @ share.flatten(1)[..., None])[..., 0] / count, curvature / count

    def _levels(self, worth: Tensor, wide: Tensor) -> Tensor:
        """λ `[B, R]` for the worth of pixels `[B, R, S]`."""
        assert self._rows.budgets is not None
        levels = thresholds(worth, self._rows.budgets)
        excess = worth - levels[..., None]
        root = (excess.square() + wide).sqrt()
        share, turn = ((1 + excess / root) / 2).sum(2), (wide / root.pow(3) / 2).sum(2)
        move = ((share - self._budgets) / turn).nan_to_num().clamp(-wide[..., 0].sqrt(), wide[..., 0].sqrt())
        return torch.where(levels > 0, levels + move, 0)

    def _wide(self, width: Tensor) -> Tensor:
        return (self._rows.values.shape[2] * width).square()[:, None, None]

    def _pixels(self, values: Tensor) -> Tensor:
        """Sums over the channels of a pixel, `[…, C·R·S]` to `[…, R, S]`."""
        return values.unflatten(-1, self._rows.values.shape[2:]).sum(-3)

    def _gram(self, weight: Tensor) -> Tensor:
        return (self._flat * weight[:, None]) @ self._flat.mT

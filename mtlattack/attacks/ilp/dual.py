"""The best mixture of an image's tasks: the dual of the program, minimised by a fixed number of Newton steps."""

import torch
from torch import Tensor

from mtlattack.attacks.ilp.rows import Rows
from mtlattack.attacks.ilp.smooth import SmoothedDual

# Width of the smoothing and weight of the barrier, over the current value: they fall from the first number to the
# second on thinned rows, to the third on all. Measured on real gradients: the dual value ends 1e-7 above its least.
_WIDTHS, _BARRIERS = (1.0, 1e-2, 1e-4), (0.1, 1e-5, 1e-8)
_STEPS = (14, 8)
# Of these lengths of a step the best is taken; after one from this number on, the image's next step takes a larger
# curvature.
_LENGTHS, _STUCK = (1.0, 0.3, 0.05, 0.0), 2
# A step goes no further than this share of the way to where a weight were zero.
_TO_THE_EDGE = 0.97
# Rows without budgets are thinned if they have so many pixels; by an odd stride, out of step with a network's strides.
_THINNABLE, _STRIDE = 4096, 7
# Weights are multiples of this: the last bits of a sum, which may differ with the batch, decide nothing.
_GRAIN = 2.0**-36
_TINY = 1e-14


def minimise(rows: Rows) -> Tensor:
    """Weights `[B, M]` ≥ 0 of the rows, of sum 1 over the objectives, at which the dual function is least.

    Newton steps on the smoothed function with a log barrier, both falling; every image has its own length of step.
    """
    # Rows of one size to begin with: two that are opposed cancel out at once.
    size = rows.values.abs().flatten(2).sum(2) / rows.count
    inverse = 1 / torch.where(size > 0, size, 1)
    weights = inverse / inverse[:, : rows.objectives].sum(1, keepdim=True)
    if rows.values.shape[1] == 1:
        return weights
    thin = rows.budgets is None and rows.values.shape[4] >= _THINNABLE
    for stage, seen in enumerate((rows.thinned(_STRIDE) if thin else rows, rows)):
        weights = _descend(seen, weights, stage)
    return (weights / _GRAIN).round() * _GRAIN


def _descend(rows: Rows, weights: Tensor, stage: int) -> Tensor:
    """The best weights found by the Newton steps of a stage."""
    dual, steps = SmoothedDual(rows), _STEPS[stage]
    lengths = weights.new_tensor(_LENGTHS)
    mixed = dual.mix(weights)
    value = least = dual.exact(mixed)
    best, stuck = weights, torch.zeros_like(value, dtype=torch.bool)
    for i in range(steps):
        width, barrier = (
            falls[stage] * (falls[stage + 1] / falls[stage]) ** (i / (steps - 1)) * value + _TINY
            for falls in (_WIDTHS, _BARRIERS)
        )
        gradient, curvature = dual.derivatives(mixed, width, stuck)
        way = _direction(gradient, curvature, weights, barrier, rows.objectives)
        # How far along it every weight stays positive.
        room = torch.where(way < 0, -_TO_THE_EDGE * weights / way, torch.inf).amin(1).clamp_max(1)
        change = dual.mix(way)
        reach = lengths[:, None] * room
        values = torch.stack([dual.value(mixed + length[:, None] * change, width) for length in reach])
        pick = (values - barrier * (weights + reach[..., None] * way).log().sum(2)).argmin(0, keepdim=True)
        length = reach.gather(0, pick)[0, :, None]
        weights, mixed = weights + length * way, mixed + length * change
        before, value = value, dual.exact(mixed)
        # Where tasks cancel out the value falls to nothing, and only the larger curvature goes there.
        stuck = (pick[0] >= _STUCK) | (stuck & (value < before / 2))
        best = torch.where((value < least)[:, None], weights, best)
        least = torch.minimum(value, least)
    return best


def _direction(gradient: Tensor, curvature: Tensor, weights: Tensor, barrier: Tensor, objectives: int) -> Tensor:
    """Newton's direction `[B, M]` with a log barrier, along which the weights of the objectives keep their sum."""
    batch, height = weights.shape
    gradient = gradient - barrier[:, None] / weights
    curvature = curvature + torch.diag_embed(barrier[:, None] / weights.square())
    curvature = curvature + 1e-12 * torch.diag_embed(curvature.diagonal(dim1=1, dim2=2))
    system = torch.zeros(batch, height + 1, height + 1, device=weights.device, dtype=weights.dtype)
    system[:, :height, :height] = curvature
    system[:, height, :objectives] = system[:, :objectives, height] = 1
    right = torch.cat([-gradient, torch.zeros_like(gradient[:, :1])], 1)
    return torch.linalg.solve_ex(system, right[..., None])[0][:, :height, 0].nan_to_num()

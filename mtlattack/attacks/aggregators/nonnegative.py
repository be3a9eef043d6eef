"""Small convex programs over y ≥ 0, many at once: no loop over images, no wait for the device."""

from collections.abc import Callable

import torch
from torch import Tensor

# Gradient `[..., T]` and Hessian `[..., T, T]` of a convex function at y > 0 `[..., T]`.
Curve = Callable[[Tensor], tuple[Tensor, Tensor]]

_TO_BORDER = 0.99
# Keeps a Newton step finite where curvature is missing; it changes the way there, not the minimiser.
_DAMPING = 1e-12


def minimise(curve: Curve, start: Tensor, *, steps: int = 30, shrink: float = 0.1, least: float = 1e-18) -> Tensor:
    """argmin of a convex function over y ≥ 0, `[..., T]` float64, where function and minimiser are of order one.

    A primal-dual interior point method (Nocedal & Wright 2006, §16.6) in a fixed number of Newton steps, each of which
    aims at `shrink` times the gap of complementarity y_i z_i, down to `least`. Of several minimisers it takes the
    middle. The defaults are for quadratics.
    """
    y, z = start, torch.ones_like(start)
    for _ in range(steps):
        slope, hessian = curve(y)
        gap = (shrink * (y * z).mean(-1, keepdim=True)).clamp_min(least)
        dy = solve(hessian + torch.diag_embed(z / y + _DAMPING), gap / y - slope)
        dz = gap / y - z - z / y * dy
        room = torch.minimum(_room(y, dy), _room(z, dz))
        y, z = y + room * dy, z + room * dz
    return y


def quadratic(matrix: Tensor, linear: Tensor) -> Curve:
    """½ yᵀQy + pᵀy for Q `[..., T, T]`, p `[..., T]`."""
    return lambda y: ((matrix @ y[..., None])[..., 0] + linear, matrix)


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """x of A x = b for A `[..., T, T]`, b `[..., T]`, without asking whether A is singular: the answer must be waited
    for."""
    solution: Tensor = torch.linalg.solve_ex(matrix, right[..., None])[0]
    return solution[..., 0]


def shortest(gram: Tensor) -> Tensor:
    """Weights w ≥ 0, Σw = 1, `[B, T]`, that minimise ‖Σ w_i g_i‖², from the Gram matrix `[B, T, T]` float64; zero where
    g_i is zero, and all zero where every one is.

    Up to scale they minimise ½ yᵀ(G + κ11ᵀ)y − κ1ᵀy over y ≥ 0 for any κ > 0: both have the minimiser at which all
    ⟨g_i, g_w⟩ on the support of w agree and none is less. Exact to about 1e-12 of the shortest ‖g_i‖², where the
    longest is at most some 1e3 times as long.
    """
    squared = gram.diagonal(dim1=1, dim2=2)
    present = squared > 0
    least = torch.where(present, squared, torch.inf).amin(1, keepdim=True)
    least = torch.where(least.isfinite(), least, 1.0)[..., None]
    both = present[:, :, None] & present[:, None]
    matrix = torch.where(both, gram / least + 1, 0.0) + torch.diag_embed((~present).to(gram))
    scale = matrix.diagonal(dim1=1, dim2=2).rsqrt()
    curve = quadratic(matrix * scale[:, :, None] * scale[:, None], -scale * present)
    y = scale * present * minimise(curve, torch.ones_like(scale))
    total = y.sum(1, keepdim=True)
    return y / torch.where(total > 0, total, 1.0)


def _room(values: Tensor, change: Tensor) -> Tensor:
    """Largest step ≤ 1 that keeps all values of a row positive, with a margin, `[..., 1]`."""
    limit = torch.where(change < 0, -values / change, torch.inf).amin(-1, keepdim=True)
    return (_TO_BORDER * limit).clamp_max(1.0)

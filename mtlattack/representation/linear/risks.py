"""Adversarial risks of linear predictors over the whole distribution, without sampling."""

import math
from functools import cache
from itertools import permutations

import numpy as np
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from mtlattack.representation.linear.balls import Norm, dual_norm
from mtlattack.representation.linear.losses import Phi, phi

_NODES = 64


def squared_risk(
    weights: Tensor, truth: Tensor, noise: float, eps: float, norm: Norm, smoothing: float = 0.0
) -> Tensor:
    """E max (y − wᵀx')² for x ~ N(0, I), y = w*ᵀx + σz: s² + 2ε‖w‖_* s √(2/π) + ε²‖w‖_*², s² = σ² + ‖w − w*‖².

    Weights and `truth` `[…, d]` → `[…]`; `smoothing` is that of the dual norm.
    """
    variance = noise**2 + (weights - truth).square().sum(-1)
    reach = eps * dual_norm(weights, norm, smoothing)
    return variance + 2 * reach * variance.sqrt() * math.sqrt(2 / math.pi) + reach.square()


def margin_risk(weights: Tensor, mean: Tensor, eps: float, norm: Norm, kind: Phi, smoothing: float = 0.0) -> Tensor:
    """E max φ(y wᵀx') for x | y ~ N(yμ, I): the margin is normal with mean wᵀμ − ε‖w‖_* and variance ‖w‖².

    Closed for hinge and exponential, by 64 Gauss–Hermite nodes for the logistic loss. `[…, d]`, `[…, d]` → `[…]`.
    """
    centre = (weights * mean).sum(-1) - eps * dual_norm(weights, norm, smoothing)
    spread = dual_norm(weights, "l2", smoothing)
    if kind == "exponential":
        return (spread.square() / 2 - centre).exp()
    if kind == "hinge":
        gap = 1 - centre
        ratio = gap / spread.clamp_min(1e-300)
        density = torch.exp(-ratio.square() / 2) / math.sqrt(2 * math.pi)
        return gap * torch.special.ndtr(ratio) + spread * density
    nodes, shares = _hermite()
    return (phi(centre[..., None] + spread[..., None] * nodes, kind) * shares).sum(-1)


def multiclass_margin_risk(
    weights: Tensor, means: Tensor, eps: float, norm: Norm, kind: Phi, smoothing: float = 0.0
) -> Tensor:
    """E max φ(margin) for three classes alike often, x | y ~ N(μ_y, I), by 64 Gauss–Hermite nodes a pair of classes.

    The margins of a class over its two rivals are jointly normal: their lesser one is the first with probability
    Φ((E[other | first = u] − u)/sd[other | first]) where the first is u. `[…, 3, d]`, `[…, 3, d]` → `[…]`.
    """
    nodes, shares = _hermite()
    total = torch.zeros(weights.shape[:-2], dtype=weights.dtype)
    for own, one, other in permutations(range(3)):
        first, second = (weights[..., own, :] - weights[..., rival, :] for rival in (one, other))
        mean = means[..., own, :]
        centre, rest = ((w * mean).sum(-1) - eps * dual_norm(w, norm, smoothing) for w in (first, second))
        spread, width = (dual_norm(w, "l2", max(smoothing, 1e-12)) for w in (first, second))
        pull = (first * second).sum(-1) / spread
        left = (width.square() - pull.square()).clamp_min(1e-24).sqrt()
        at = centre[..., None] + spread[..., None] * nodes
        is_least = torch.special.ndtr((rest[..., None] + pull[..., None] * nodes - at) / left[..., None])
        total = total + (phi(at, kind, smoothing) * is_least * shares).sum(-1) / 3
    return total


def robust_error(weights: Tensor, mean: Tensor, eps: float, norm: Norm) -> Tensor:
    """P(some x' is misclassified) for x | y ~ N(yμ, I): Φ(−(wᵀμ − ε‖w‖_*)/‖w‖₂). A predictor of zeros is always wrong.

    `[…, d]`, `[…, d]` → `[…]`.
    """
    spread = torch.linalg.vector_norm(weights, dim=-1)
    centre = (weights * mean).sum(-1) - eps * dual_norm(weights, norm)
    return torch.where(spread > 0, torch.special.ndtr(-centre / torch.where(spread > 0, spread, 1.0)), 1.0)


def least_robust_error(mean: Tensor, eps: float, norm: Norm) -> Tensor:
    """The least of `robust_error` over all linear predictors, `[…, d]` → `[…]`.

    The largest of wᵀμ − ε‖w‖_* over ‖w‖₂ ≤ 1 is (‖μ‖₂ − ε)₊ for l_2, and for l_inf the length of μ with every entry
    brought ε nearer to 0; where it is 0 no predictor beats guessing, and the least error is ½ or more.
    """
    if norm == "l2":
        reach = (torch.linalg.vector_norm(mean, dim=-1) - eps).clamp_min(0)
    else:
        reach = torch.linalg.vector_norm((mean.abs() - eps).clamp_min(0), dim=-1)
    return torch.special.ndtr(-reach)


def multiclass_robust_error(weights: Tensor, means: Tensor, eps: float, norm: Norm) -> float:
    """P(some x' is misclassified) for o classes alike often, x | y ~ N(μ_y, I); weights and means `[o, d]`.

    The o − 1 margins of a class are jointly normal: their orthant probability is Genz's, to about 10⁻⁵.
    """
    apart = weights[:, None] - weights[None]
    reach = eps * dual_norm(apart, norm)
    right = []
    for label, mean in enumerate(means):
        others = [index for index in range(len(means)) if index != label]
        rows = apart[label, others]
        centre = (rows @ mean - reach[label, others]).numpy()
        # P(every margin > 0) = P(−margins < 0).
        shape = (rows @ rows.T).numpy() + 1e-12 * np.eye(len(others))
        right.append(float(multivariate_normal.cdf(np.zeros(len(others)), mean=-centre, cov=shape)))
    return 1 - sum(right) / len(right)


@cache
def _hermite() -> tuple[Tensor, Tensor]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return torch.from_numpy(nodes), torch.from_numpy(weights / math.sqrt(2 * math.pi))

"""Losses of linear predictors under the worst perturbation of the input, in closed form.

A predictor has weights `[…, o, d]` (one row an output) and gives the scores Wx; the leading dimensions are whatever is
solved at once: seeds, tasks. Source: the dual norm of a linear function, as in Watkins et al. (NeurIPS 2024).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from mtlattack.errors import UnknownNameError
from mtlattack.representation.linear.balls import Norm, dual_norm, soft_abs, steepest

Phi = Literal["logistic", "hinge", "exponential"]


class LinearLoss(ABC):
    """A loss of a linear predictor with `outputs` scores."""

    outputs: int

    @abstractmethod
    def worst(
        self, weights: Tensor, inputs: Tensor, labels: Tensor, eps: float, norm: Norm, smoothing: float = 0.0
    ) -> Tensor:
        """max over ‖δ‖ ≤ ε of the loss on x + δ: `[…, o, d]`, `[…, n, d]`, `[…, n]` → `[…, n]`.

        With `smoothing` > 0 a function that has derivatives everywhere, and tends to it.
        """

    @abstractmethod
    def perturb(self, weights: Tensor, inputs: Tensor, labels: Tensor, eps: float, norm: Norm) -> Tensor:
        """The inputs x + δ on which the loss is `worst`, `[…, n, d]`."""

    @abstractmethod
    def encode(self, labels: Tensor) -> Tensor:
        """Labels `[…, n]` as what a least-squares fit would predict, `[…, n, o]`."""


@dataclass(frozen=True)
class Squared(LinearLoss):
    """(y − wᵀx)², whose worst is (|y − wᵀx| + ε‖w‖_*)²."""

    outputs = 1

    def worst(
        self, weights: Tensor, inputs: Tensor, labels: Tensor, eps: float, norm: Norm, smoothing: float = 0.0
    ) -> Tensor:
        residual = labels - _scores(weights, inputs)[..., 0]
        return (soft_abs(residual, smoothing) + eps * dual_norm(weights, norm, smoothing)).square()

    def perturb(self, weights: Tensor, inputs: Tensor, labels: Tensor, eps: float, norm: Norm) -> Tensor:
        residual = labels - _scores(weights, inputs)[..., 0]
        away = torch.where(residual > 0, -1.0, 1.0).to(inputs.dtype)
        return inputs + eps * away[..., None] * steepest(weights, norm)

    def encode(self, labels: Tensor) -> Tensor:
        return labels[..., None]


@dataclass(frozen=True)
class Margin(LinearLoss):
    """φ(y wᵀx) for y = ±1 and a decreasing φ, whose worst is φ(y wᵀx − ε‖w‖_*)."""

    phi: Phi = "logistic"
    outputs = 1

    def worst(
        self, weights: Tensor, inputs: Tensor, labels: Tensor, eps: float, norm: Norm, smoothing: float = 0.0
    ) -> Tensor:
        margins = labels * _scores(weights, inputs)[..., 0] - eps * dual_norm(weights, norm, smoothing)
        return phi(margins, self.phi, smoothing)

    def perturb(self, weights: Tensor, inputs: Tensor, labels: Tensor, eps: float, norm: Norm) -> Tensor:
        return inputs - eps * labels[..., None] * steepest(weights, norm)

    def encode(self, labels: Tensor) -> Tensor:
        return labels[..., None]


@dataclass(frozen=True)
class MulticlassMargin(LinearLoss):
    """φ(min_j (w_y − w_j)ᵀx) for labels y in 0 … o − 1, whose worst is φ(min_j (w_y − w_j)ᵀx − ε‖w_y − w_j‖_*).

    Exact for every decreasing function of the margin, and so for the 0–1 loss; not for the cross-entropy of a softmax.
    """

    outputs: int
    phi: Phi = "logistic"

    def worst(
        self, weights: Tensor, inputs: Tensor, labels: Tensor, eps: float, norm: Norm, smoothing: float = 0.0
    ) -> Tensor:
        return phi(_least(self.margins(weights, inputs, labels, eps, norm, smoothing), smoothing), self.phi, smoothing)

    def margins(
        self, weights: Tensor, inputs: Tensor, labels: Tensor, eps: float, norm: Norm, smoothing: float = 0.0
    ) -> Tensor:
        """(w_y − w_j)ᵀx − ε‖w_y − w_j‖_* for every j, `[…, n, o]`; infinite for j = y."""
        scores, own = _scores(weights, inputs), labels[..., None]
        apart = dual_norm(weights[..., :, None, :] - weights[..., None, :, :], norm, smoothing)  # [..., o, o]
        rows = own.expand(*own.shape[:-1], self.outputs)
        margins = scores.gather(-1, own) - scores - eps * apart.gather(-2, rows)
        is_own = torch.arange(self.outputs) == own
        return margins.masked_fill(is_own, torch.inf)

    def perturb(self, weights: Tensor, inputs: Tensor, labels: Tensor, eps: float, norm: Norm) -> Tensor:
        rival = self.margins(weights, inputs, labels, eps, norm).argmin(-1)
        return inputs + eps * steepest(_rows(weights, rival) - _rows(weights, labels), norm)

    def encode(self, labels: Tensor) -> Tensor:
        one_hot: Tensor = (torch.arange(self.outputs) == labels[..., None]).to(torch.float64)
        return one_hot - 1 / self.outputs


def phi(margins: Tensor, kind: Phi, smoothing: float = 0.0) -> Tensor:
    """A decreasing function of the margin: log(1 + e^−m), max(0, 1 − m), or e^−m."""
    if kind == "logistic":
        return softplus(-margins)
    if kind == "hinge":
        return smoothing * softplus((1 - margins) / smoothing) if smoothing else (1 - margins).clamp_min(0)
    if kind == "exponential":
        return (-margins).exp()
    raise UnknownNameError("margin loss", kind, ("logistic", "hinge", "exponential"))


def _least(values: Tensor, smoothing: float) -> Tensor:
    return -smoothing * torch.logsumexp(-values / smoothing, -1) if smoothing else values.amin(-1)


def _scores(weights: Tensor, inputs: Tensor) -> Tensor:
    return inputs @ weights.mT


def _rows(weights: Tensor, which: Tensor) -> Tensor:
    """Row `which` `[…, n]` of weights `[…, o, d]` for each input, `[…, n, d]`."""
    return weights.gather(-2, which[..., None].expand(*which.shape, weights.shape[-1]))

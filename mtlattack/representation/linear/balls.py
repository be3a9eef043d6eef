"""Balls of perturbations of an input, their dual norms, and absolute values that are smooth where asked."""

from typing import Literal, get_args

import torch
from torch import Tensor

from mtlattack.errors import InputError, UnknownNameError

Norm = Literal["l2", "linf"]
NORMS: tuple[str, ...] = get_args(Norm)


def check_threat(norm: str, eps: float) -> None:
    """UnknownNameError for a norm that has no closed form here, InputError unless ε is finite and at least 0."""
    if norm not in NORMS:
        raise UnknownNameError("norm", norm, NORMS)
    if not 0 <= eps < float("inf"):
        raise InputError(f"eps {eps:g}, expected a finite number of at least 0")


def dual_norm(weights: Tensor, norm: Norm, smoothing: float = 0.0) -> Tensor:
    """max of wᵀδ over ‖δ‖ ≤ 1, `[…, d]` → `[…]`: ‖w‖₂ for l_2, ‖w‖₁ for l_inf.

    With `smoothing` s > 0 it is ‖(w, s)‖₂, or Σ √(w² + s²), which have derivatives everywhere.
    """
    if norm == "l2":
        return (
            (weights.square().sum(-1) + smoothing**2).sqrt() if smoothing else torch.linalg.vector_norm(weights, dim=-1)
        )
    return soft_abs(weights, smoothing).sum(-1)


def attack_norm(values: Tensor, norm: Norm) -> Tensor:
    """The norm in which perturbations are measured, `[…, d]` → `[…]`."""
    return torch.linalg.vector_norm(values, ord=2 if norm == "l2" else torch.inf, dim=-1)


def steepest(weights: Tensor, norm: Norm) -> Tensor:
    """The δ with ‖δ‖ ≤ 1 that makes wᵀδ largest, `[…, d]`: w/‖w‖₂ for l_2, sign(w) for l_inf; 0 where w is 0."""
    if norm == "linf":
        return weights.sign()
    length = torch.linalg.vector_norm(weights, dim=-1, keepdim=True)
    return weights / torch.where(length > 0, length, 1.0)


def soft_abs(values: Tensor, smoothing: float) -> Tensor:
    """|v|, or √(v² + s²) for smoothing s > 0."""
    return (values.square() + smoothing**2).sqrt() if smoothing else values.abs()

"""The two stages: a representation from many source tasks, then a head for the target, both under attack.

The perturbation lives in the input in both stages (Watkins et al., NeurIPS 2024, section 2). All seeds are solved at
once, by L-BFGS on a smoothed objective whose smoothing shrinks.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.representation.linear.balls import Norm, check_threat, dual_norm
from mtlattack.representation.linear.losses import LinearLoss
from mtlattack.representation.linear.problem import Examples
from mtlattack.representation.linear.solver import minimise
from mtlattack.wording import counted

# Each solve begins where the one before ended.
SMOOTHINGS = (1e-1, 1e-2)
# Stage 1 is slow where examples are separable: a tenth of this takes about twice the evaluations there, for a value
# that is less than 1 % lower.
_STATIONARY = 1e-5
_PENALTY = 10.0
Risk = Callable[[Tensor, float], Tensor]
"""Weights `[S, t, o, d]` and a smoothing → the risk of each task, `[S, t]`."""


@dataclass(frozen=True)
class Representation:
    """What stage 1 has learned: `basis` `[S, k, d]` with orthonormal rows, and the source `heads` `[S, t, o, k]`.

    `converged` `[S]`: whose search ended by itself, and not at its limit of steps; None where nothing was searched for.
    """

    basis: Tensor
    heads: Tensor
    converged: Tensor | None = None


def empirical(loss: LinearLoss, examples: Examples, eps: float, norm: Norm) -> Risk:
    """The mean of the worst losses over each task's examples."""
    check_threat(norm, eps)

    def risk(weights: Tensor, smoothing: float) -> Tensor:
        return loss.worst(weights, examples.inputs, examples.labels, eps, norm, smoothing).mean(-1)

    return risk


def bounded(risk: Risk, bound: float) -> Risk:
    """The risk over predictors whose weights have an l_2 norm of at most `bound`, by 10 times the square of any more.

    Theory bounds its classes, and margin losses need it: on examples that a predictor separates whatever the attack
    does, the longer its weights the less the loss, without end. Infinity for no bound.
    """
    if not bound > 0:
        raise InputError(f"bound {bound:g} on the norm of weights, expected a positive number")

    def penalised(weights: Tensor, smoothing: float) -> Tensor:
        length = dual_norm(weights.flatten(2), "l2", max(smoothing, 1e-12))
        return risk(weights, smoothing) + _PENALTY * (length - bound).clamp_min(0).square()

    return penalised


def learn_representation(
    loss: LinearLoss,
    sources: Examples,
    rank: int,
    eps: float,
    norm: Norm,
    bound: float = math.inf,
    smoothings: Sequence[float] = SMOOTHINGS[-1:],
    steps: int = 1500,
) -> Representation:
    """Stage 1: argmin over h and f of the mean over tasks and examples of the worst loss of f_j∘h.

    It begins at the leading right singular vectors of the tasks' ridge fits, and ends for a seed where three steps in a
    row gain less than 10⁻⁵ of its value. InputError for a rank above the dimension of the inputs, and without source
    tasks.
    """
    start = truncate(_ridge(loss, sources), rank)
    risk = bounded(empirical(loss, sources, eps, norm), bound)
    return minimise_representation(risk, start, smoothings, steps, _STATIONARY)


def minimise_representation(
    risk: Risk,
    start: Representation,
    smoothings: Sequence[float] = SMOOTHINGS,
    steps: int = 300,
    tolerance: float = 1e-7,
) -> Representation:
    """argmin over basis and heads of the mean risk of the tasks, from `start`; `tolerance` as for `minimise`."""
    shapes = start.basis.shape, start.heads.shape
    point = torch.cat([start.basis.flatten(1), start.heads.flatten(1)], 1)
    converged = None
    size = shapes[0][1] * shapes[0][2]
    for smoothing in smoothings:

        def objective(flat: Tensor, smoothing: float = smoothing) -> Tensor:
            basis, heads = flat[:, :size].view(shapes[0]), flat[:, size:].view(shapes[1])
            return risk(heads @ basis[:, None], smoothing).mean(1)

        found = minimise(objective, point, steps=steps, tolerance=tolerance)
        point, converged = found.point, found.converged
    basis, heads = point[:, :size].view(shapes[0]), point[:, size:].view(shapes[1])
    return orthonormal(Representation(basis, heads, converged))


def learn_head(
    loss: LinearLoss,
    basis: Tensor,
    target: Examples,
    eps: float,
    norm: Norm,
    bound: float = math.inf,
    smoothings: Sequence[float] = SMOOTHINGS,
    steps: int = 300,
) -> Tensor:
    """Stage 2: argmin over linear heads on a frozen `basis` `[S, k, d]`, attacked through it; weights `[S, 1, o, d]`.

    InputError where nothing but the data say which head is best and they do not: without an attack, from fewer
    examples than the head has weights, or from inputs that span less than the representation does.
    """
    check_determined(basis, target, eps)
    return minimise_head(bounded(empirical(loss, target, eps, norm), bound), basis, loss.outputs, smoothings, steps)


def learn_alone(
    loss: LinearLoss,
    target: Examples,
    eps: float,
    norm: Norm,
    bound: float = math.inf,
    smoothings: Sequence[float] = SMOOTHINGS,
    steps: int = 300,
) -> Tensor:
    """The target task alone, without a representation: weights `[S, 1, o, d]`. Errors as for `learn_head`."""
    seeds, _, _, size = target.inputs.shape
    identity = torch.eye(size, dtype=target.inputs.dtype).expand(seeds, size, size)
    return learn_head(loss, identity, target, eps, norm, bound, smoothings, steps)


def minimise_head(
    risk: Risk, basis: Tensor, outputs: int, smoothings: Sequence[float] = SMOOTHINGS, steps: int = 300
) -> Tensor:
    """argmin over heads of a risk of one task, `[S, 1, o, d]`; convex where the loss is."""
    seeds, rank, _ = basis.shape
    point = torch.zeros(seeds, outputs * rank, dtype=basis.dtype)
    for smoothing in smoothings:

        def objective(flat: Tensor, smoothing: float = smoothing) -> Tensor:
            return risk(flat.view(seeds, 1, outputs, rank) @ basis[:, None], smoothing)[:, 0]

        point = minimise(objective, point, steps=steps).point
    return point.view(seeds, 1, outputs, rank) @ basis[:, None]


def check_determined(basis: Tensor, examples: Examples, eps: float) -> None:
    """InputError if the head that fits the examples best is not the only one; under an attack it is."""
    if eps > 0:
        return
    rank, count = basis.shape[1], examples.inputs.shape[-2]
    if count < rank:
        raise InputError(
            f"{counted(count, 'example')} for a head of {counted(rank, 'weight')} at eps 0; "
            f"expected {rank} or more, or eps > 0"
        )
    features = examples.inputs @ basis[:, None].mT
    if int(torch.linalg.matrix_rank(features).min()) < rank:
        raise InputError(
            f"a design of rank below the {counted(rank, 'weight')} of a head at eps 0; "
            "expected other inputs, or eps > 0"
        )


def truncate(weights: Tensor, rank: int) -> Representation:
    """The representation of this rank that is nearest to tasks' weights `[S, t, o, d]`; with fewer tasks than ranks,
    the basis is filled up with directions that no task uses."""
    seeds, tasks, outputs, size = weights.shape
    if not 1 <= rank <= size:
        raise InputError(f"rank {rank}, expected 1 to the dimension of the inputs, {size}")
    _, _, right = torch.linalg.svd(weights.reshape(seeds, tasks * outputs, size), full_matrices=True)
    basis = right[:, :rank].contiguous()
    return Representation(basis, weights @ basis[:, None].mT)


def orthonormal(found: Representation) -> Representation:
    """The same predictors over a basis with orthonormal rows."""
    rows, mixing = torch.linalg.qr(found.basis.mT)
    return Representation(rows.mT.contiguous(), found.heads @ mixing.mT[:, None], found.converged)


def _ridge(loss: LinearLoss, examples: Examples) -> Tensor:
    """Least squares on what the loss makes of the labels, with a ridge of d/n: `[S, t, o, d]`."""
    inputs, targets = examples.inputs, loss.encode(examples.labels)
    if inputs.shape[1] < 1:
        raise InputError("no source tasks, expected at least 1: a representation comes from them")
    count, size = inputs.shape[-2:]
    gram = inputs.mT @ inputs / count + size / count * torch.eye(size, dtype=inputs.dtype)
    return torch.linalg.solve(gram, inputs.mT @ targets / count).mT

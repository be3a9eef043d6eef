"""What a learned representation is worth: excess adversarial risk on the target, without sampling error."""

import math
from itertools import combinations

import torch
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.representation.linear.balls import Norm, attack_norm, check_threat
from mtlattack.representation.linear.learning import (
    Representation,
    Risk,
    minimise_head,
    minimise_representation,
)
from mtlattack.representation.linear.losses import LinearLoss, Margin, MulticlassMargin, Squared
from mtlattack.representation.linear.problem import CLASSES, Examples, Tasks
from mtlattack.representation.linear.risks import margin_risk, multiclass_margin_risk, squared_risk
from mtlattack.wording import counted


def population(loss: LinearLoss, tasks: Tasks, truth: Tensor, eps: float, norm: Norm) -> Risk:
    """The adversarial risk over the distribution of tasks with weights or means `truth` `[S, t, d]`, `[S, t, 3, d]` of
    classes.

    InputError for a loss of another kind of problem: regression has the squared loss, a mixture margin losses, classes
    the multiclass margin of three.
    """
    check_threat(norm, eps)
    kind, noise = tasks.problem.kind, tasks.problem.noise
    if kind == "regression" and isinstance(loss, Squared):
        return lambda weights, smoothing: squared_risk(weights[:, :, 0], truth, noise, eps, norm, smoothing)
    if kind == "mixture" and isinstance(loss, Margin):
        return lambda weights, smoothing: margin_risk(weights[:, :, 0], truth, eps, norm, loss.phi, smoothing)
    if kind == "classes" and isinstance(loss, MulticlassMargin) and loss.outputs == CLASSES:
        return lambda weights, smoothing: multiclass_margin_risk(weights, truth, eps, norm, loss.phi, smoothing)
    raise InputError(
        f"{type(loss).__name__} of {counted(loss.outputs, 'output')} on a {kind} problem; "
        f"expected Squared on regression, Margin on mixture, MulticlassMargin of {CLASSES} outputs on classes"
    )


def best_representation(loss: LinearLoss, tasks: Tasks, eps: float, norm: Norm) -> Representation:
    """h*: the minimiser of the sources' adversarial risk over the distribution, sought from the basis that the tasks
    were made with. For l_2 it is that basis: a shrunk truth is the best predictor."""
    heads = tasks.source_heads if tasks.problem.kind == "classes" else tasks.source_heads[:, :, None]
    start = Representation(tasks.basis, heads)
    if norm == "l2":
        return start
    return minimise_representation(population(loss, tasks, tasks.sources, eps, norm), start)


def least_risk(loss: LinearLoss, tasks: Tasks, basis: Tensor, eps: float, norm: Norm) -> Tensor:
    """The least adversarial risk of the target over heads on a basis `[S, k, d]`, `[S]`."""
    risk = population(loss, tasks, tasks.target, eps, norm)
    return risk(minimise_head(risk, basis, loss.outputs, smoothings=(1e-1, 1e-2, 1e-4)), 0.0)[:, 0]


def target_risk(loss: LinearLoss, tasks: Tasks, weights: Tensor, eps: float, norm: Norm) -> Tensor:
    """The adversarial risk of weights `[S, 1, o, d]` on the target, `[S]`."""
    return population(loss, tasks, tasks.target, eps, norm)(weights, 0.0)[:, 0]


def check_sensible(tasks: Tasks, eps: float, norm: Norm) -> None:
    """InputError for an ε at which the best predictor of a seed's target is 0, whatever is learned.

    That is so from ‖w*‖ ≤ ε √(2/π) √(σ² + ‖w*‖₂²) on for regression, in the norm of the attack, where the derivative of
    the risk at 0 has no descent; and from ‖μ‖ ≤ ε on for a mixture, whose classes the attack then swaps. Of three
    classes none may be within 2ε of another, or the attack swaps these two.
    """
    check_threat(norm, eps)
    if tasks.problem.kind == "classes":
        _check_apart(tasks, eps, norm)
        return
    target = tasks.target[:, 0]
    reach = torch.full((len(target),), eps, dtype=target.dtype)
    if tasks.problem.kind == "regression":
        spread = (tasks.problem.noise**2 + target.square().sum(-1)).sqrt()
        reach = eps * math.sqrt(2 / math.pi) * spread
    hopeless = attack_norm(target, norm) <= reach
    if bool(hopeless.any()):
        seed = tasks.seeds[int(hopeless.nonzero()[0])]
        raise InputError(
            f"eps {eps:g} in {norm} leaves nothing to learn: the best predictor of the target of seed {seed} is 0; "
            "expected a smaller eps"
        )


def _check_apart(tasks: Tasks, eps: float, norm: Norm) -> None:
    means = tasks.target[:, 0]
    for one, other in combinations(range(CLASSES), 2):
        swapped = attack_norm(means[:, one] - means[:, other], norm) <= 2 * eps
        if bool(swapped.any()):
            seed = tasks.seeds[int(swapped.nonzero()[0])]
            raise InputError(
                f"eps {eps:g} in {norm} swaps classes {one} and {other} of the target of seed {seed}; "
                "expected a smaller eps"
            )


def check_new(sources: Examples, target: Examples) -> None:
    """InputError if the target is one of the sources: its examples begin with those of a source, or the reverse."""
    shared = min(sources.inputs.shape[-2], target.inputs.shape[-2])
    same = (sources.inputs[:, :, :shared] == target.inputs[:, :, :shared]).flatten(2).all(-1)
    same &= (sources.labels[:, :, :shared] == target.labels[:, :, :shared]).all(-1)
    if bool(same.any()):
        raise InputError(f"the target is source task {int(same.nonzero()[0, 1])}; expected a task that is no source")

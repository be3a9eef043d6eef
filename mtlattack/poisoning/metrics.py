"""How well a task was learned, by its test points."""

import numpy as np

from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.tasks import Kind, TaskSet

HEADLINE = {Kind.REGRESSION: "nmse", Kind.CLASSIFICATION: "auc_error"}
"""The error that tables show: lower is better for both."""


def errors(parameters: Array, tasks: TaskSet) -> dict[str, Array]:
    """Errors by name, `[T]` each: of numbers `nmse`, the mean squared error over the labels' variance; of classes
    `auc_error` (1 − AUC) and `error` (share of wrong answers). NaN where all labels of a task are the same, but for
    `error`."""
    scored = [(z, y) for z, (_, y) in zip(responses(parameters, tasks), tasks.points, strict=True)]
    if tasks.kind is Kind.REGRESSION:
        return {"nmse": np.array([_nmse(z, y) for z, y in scored])}
    wrong = np.array([np.mean((z > 0) != (y > 0.5)) for z, y in scored])
    return {"auc_error": np.array([1 - _auc(z, y) for z, y in scored]), "error": wrong}


def _nmse(z: Array, y: Array) -> float:
    spread = y.var()
    return float(np.mean((z - y) ** 2) / spread) if spread > 0 else np.nan


def _auc(z: Array, y: Array) -> float:
    """How often a point of the second class is above one of the first; ties count half."""
    positive, negative = z[y > 0.5], np.sort(z[y < 0.5])
    if not len(positive) or not len(negative):
        return np.nan
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.mean() / (2 * len(negative)))


def responses(parameters: Array, tasks: TaskSet) -> list[Array]:
    """w_iᵀx + b_i of every task's points, for parameters `[D, T]`."""
    d = tasks.dimension
    return [x @ column[:d] + column[d:].sum() for column, (x, _) in zip(parameters.T, tasks.points, strict=True)]


def point_losses(parameters: Array, tasks: TaskSet) -> list[Array]:
    """ℓ of every task's points."""
    loss = tasks.kind.loss
    return [loss.value(z, y) for z, (_, y) in zip(responses(parameters, tasks), tasks.points, strict=True)]

"""How well a task was learned, by its test points."""

import numpy as np
from scipy.stats import rankdata

from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.tasks import Kind, TaskSet

HEADLINE = {Kind.REGRESSION: "nmse", Kind.CLASSIFICATION: "auc_error"}
"""The error that tables show: lower is better for both."""


def errors(parameters: Array, tasks: TaskSet) -> dict[str, Array]:
    """Errors by name, `[T]` each: `nmse` (mean squared error over the labels' variance) of numbers; `auc_error` (1 − AUC)
    and `error` (share of wrong answers) of classes. NaN where labels of a task are all the same, but for `error`."""
    scored = [
        (x @ column[: tasks.dimension] + (column[tasks.dimension :].sum()), y)
        for column, (x, y) in zip(parameters.T, tasks.points, strict=True)
    ]
    if tasks.kind is Kind.REGRESSION:
        return {"nmse": np.array([_nmse(z, y) for z, y in scored])}
    wrong = np.array([np.mean((z > 0) != (y > 0.5)) for z, y in scored])
    return {"auc_error": np.array([1 - _auc(z, y) for z, y in scored]), "error": wrong}


def _nmse(z: Array, y: Array) -> float:
    spread = y.var()
    return float(np.mean((z - y) ** 2) / spread) if spread > 0 else np.nan


def _auc(z: Array, y: Array) -> float:
    """Mann and Whitney's U over its maximum: ties count half."""
    positive = int((y > 0.5).sum())
    negative = len(y) - positive
    if not positive or not negative:
        return np.nan
    ranks = rankdata(z)[y > 0.5].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))

"""What the points say: the mean loss of every task, its gradient and curvature, and cheaply those with points added.

Parameters are `[D, T]`: a task a column, its weights and, with an intercept, that as the last row (D = d + 1).
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from mtlattack.poisoning.losses import Array, Loss, Squared
from mtlattack.poisoning.tasks import Points, TaskSet


class DataTerm(Protocol):
    """Σ_i (1/n_i) Σ ℓ(w_iᵀx, y)."""

    sizes: Array

    def losses(self, parameters: Array) -> Array:
        """The mean loss of each task `[T]`."""
        ...

    def gradient(self, parameters: Array) -> Array:
        """Of each task's mean loss in its own parameters `[D, T]`."""
        ...

    def curvature(self, parameters: Array) -> Array:
        """Second derivatives `[T, D, D]`."""
        ...

    def with_points(self, added: Mapping[int, Points]) -> "DataTerm":
        """This with points in `added`, by the task's number; their features are of length D."""
        ...


def data_term(tasks: TaskSet, intercept: bool) -> DataTerm:
    """The term of these tasks."""
    points = [(extend(features, intercept), labels) for features, labels in tasks.points]
    loss = tasks.kind.loss
    return Moments.of(points) if isinstance(loss, Squared) else Scattered([[each] for each in points], loss)


def extend(features: Array, intercept: bool) -> Array:
    """Features `[n, d]` with a column of ones behind them where there is an intercept."""
    return np.column_stack([features, np.ones(len(features))]) if intercept else features


class Moments:
    """Squared loss: second moments of a task's points say all, so only `of` takes longer with more points."""

    def __init__(self, sizes: Array, gram: Array, cross: Array, square: Array) -> None:
        self.sizes = sizes
        self._gram, self._cross, self._square = gram, cross, square  # sums: [T, D, D], [T, D], [T]

    @classmethod
    def of(cls, points: Sequence[Points]) -> "Moments":
        """The moments of features `[n_i, D]` and labels `[n_i]` of each task."""
        sums = [(len(y), x.T @ x, x.T @ y, y @ y) for x, y in points]
        sizes, gram, cross, square = (np.array(each, np.float64) for each in zip(*sums, strict=True))
        return cls(sizes, gram, cross, square)

    def losses(self, parameters: Array) -> Array:
        columns = parameters.T
        quadratic = np.einsum("ti,tij,tj->t", columns, self._gram, columns, optimize=True)
        linear = np.einsum("ti,ti->t", columns, self._cross)
        # Rounding must not make a perfect fit's loss negative.
        return np.maximum(0.5 * (quadratic - 2 * linear + self._square), 0) / self.sizes

    def gradient(self, parameters: Array) -> Array:
        columns = parameters.T[:, :, None]
        return ((self._gram @ columns)[:, :, 0] - self._cross).T / self.sizes

    def curvature(self, parameters: Array) -> Array:
        return self._gram / self.sizes[:, None, None]

    def with_points(self, added: Mapping[int, Points]) -> "Moments":
        sums = [each.copy() for each in (self.sizes, self._gram, self._cross, self._square)]
        for task, (x, y) in added.items():
            for total, more in zip(sums, (len(y), x.T @ x, x.T @ y, y @ y), strict=True):
                total[task] += more
        return Moments(*sums)


class Scattered:
    """Any loss: points as they are, of each task in one or more parts, which are never copied."""

    def __init__(self, parts: Sequence[Sequence[Points]], loss: Loss) -> None:
        self._parts, self._loss = parts, loss
        self.sizes = np.array([sum(len(y) for _, y in task) for task in parts], np.float64)

    def losses(self, parameters: Array) -> Array:
        sums = [
            sum(float(self._loss.value(x @ column, y).sum()) for x, y in task)
            for task, column in zip(self._parts, parameters.T, strict=True)
        ]
        return np.array(sums) / self.sizes

    def gradient(self, parameters: Array) -> Array:
        result = np.zeros_like(parameters)
        for task, parts in enumerate(self._parts):
            for x, y in parts:
                result[:, task] += self._loss.first(x @ parameters[:, task], y) @ x
        return result / self.sizes

    def curvature(self, parameters: Array) -> Array:
        dimension, count = parameters.shape
        result = np.zeros((count, dimension, dimension))
        for task, parts in enumerate(self._parts):
            for x, _ in parts:
                result[task] += (x.T * self._loss.second(x @ parameters[:, task])) @ x
        return result / self.sizes[:, None, None]

    def with_points(self, added: Mapping[int, Points]) -> "Scattered":
        parts = [[*task, added[i]] if i in added else task for i, task in enumerate(self._parts)]
        return Scattered(parts, self._loss)

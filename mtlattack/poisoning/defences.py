"""What a victim may do about points that it does not trust: learn without some of them, or watch Ω."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Protocol

import numpy as np
from numpy.random import Generator

from mtlattack.errors import InputError
from mtlattack.poisoning.learner import Learner
from mtlattack.poisoning.losses import Array, Mask, Rows
from mtlattack.poisoning.metrics import point_losses
from mtlattack.poisoning.relations import LearnedAt, correlation
from mtlattack.poisoning.tasks import Kind, TaskSet
from mtlattack.registry import Registry

_TOLERANCE = 1e-4
# A residual beyond 2.5 robust deviations (1.4826 medians) is an outlier; of losses, which are squares, so many medians.
_OUTLIER = (2.5 * 1.4826) ** 2


class Filter(Protocol):
    """Which points to learn from: a mask `[n_i]` a task, with at least one point of each class kept."""

    name: ClassVar[str]

    def keep(self, learner: Learner, tasks: TaskSet) -> list[Mask]:
        """The masks."""
        ...


FILTERS: Registry[type[Filter]] = Registry("defence")


@FILTERS.register("trimmed")
@dataclass(frozen=True)
class Trimmed:
    """Least trimmed loss: learn, drop the share of each task with the largest losses, and again until none changes."""

    share: float = 0.2
    rounds: int = 10
    name: ClassVar[str] = "trimmed"

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError(f"trimmed share {self.share:g}, expected above 0 and below 1")

    def keep(self, learner: Learner, tasks: TaskSet) -> list[Mask]:
        kept = [np.ones(size, np.bool_) for size in tasks.sizes]
        for _ in range(self.rounds):
            losses = _losses(learner, tasks, kept)
            before, kept = kept, [
                _of_each_class(tasks.kind, labels, partial(self._least, loss))
                for (_, labels), loss in zip(tasks.points, losses, strict=True)
            ]  # fmt: skip
            if all((old == new).all() for old, new in zip(before, kept, strict=True)):
                break
        return kept

    def _least(self, losses: Array, members: Mask) -> Rows:
        rows: Rows = np.flatnonzero(members)
        count = max(1, len(rows) - round(self.share * len(rows)))
        return rows[np.argsort(losses[rows], kind="stable")[:count]]


@FILTERS.register("consensus")
@dataclass(frozen=True)
class Consensus:
    """As RANSAC: of `draws` random halves of all tasks the one whose learner has the least median losses on all points;
    kept is what lies within 2.5 robust deviations of it."""

    draws: int = 10
    seed: int = 0
    name: ClassVar[str] = "consensus"

    def keep(self, learner: Learner, tasks: TaskSet) -> list[Mask]:
        generator = np.random.default_rng(self.seed)
        best, losses = np.inf, _losses(learner, tasks, None)
        for _ in range(self.draws):
            half = [_of_each_class(tasks.kind, labels, partial(_half, generator)) for _, labels in tasks.points]
            found = _losses(learner, tasks, half)
            score = sum(float(np.median(loss)) for loss in found)
            if score < best:
                best, losses = score, found
        return [
            _of_each_class(tasks.kind, labels, partial(_near, loss))
            for (_, labels), loss in zip(tasks.points, losses, strict=True)
        ]


@FILTERS.register("range")
@dataclass(frozen=True)
class Range:
    """Tukey's fences: drop points with a feature farther than `fences` interquartile ranges outside the quartiles of
    all tasks' points; a feature without such a range drops none."""

    fences: float = 1.5
    name: ClassVar[str] = "range"

    def keep(self, learner: Learner, tasks: TaskSet) -> list[Mask]:
        every = np.concatenate([x for x, _ in tasks.points])
        first, third = np.quantile(every, [0.25, 0.75], axis=0)
        reach = np.where(third > first, self.fences * (third - first), np.inf)
        outside = [np.maximum(first - reach - x, x - third - reach).max(1) for x, _ in tasks.points]
        return [
            _of_each_class(tasks.kind, labels, partial(_inside, far))
            for (_, labels), far in zip(tasks.points, outside, strict=True)
        ]


@dataclass(frozen=True)
class DriftAlarm:
    """Raised where the task correlations of new data are farther from those of trusted data than resamples of the
    trusted data ever were, but for `level` of them."""

    reference: Array
    threshold: float

    @classmethod
    def calibrate(
        cls, learner: Learner, trusted: TaskSet, seed: int, resamples: int = 20, level: float = 0.05
    ) -> "DriftAlarm":
        """An alarm for data of the size of `trusted`."""
        reference = correlations(learner, trusted)
        generator = np.random.default_rng([seed, 0xA1A])
        drifts = [_distance(correlations(learner, resample(trusted, generator)), reference) for _ in range(resamples)]
        return cls(reference, float(np.quantile(drifts, 1 - level)))

    def drift(self, learner: Learner, tasks: TaskSet) -> float:
        """How far their correlations are from the reference: root mean square over pairs, over the threshold."""
        return _distance(correlations(learner, tasks), self.reference) / self.threshold


def correlations(learner: Learner, tasks: TaskSet) -> Array:
    """Task correlations `[T, T]` that these tasks are learned with."""
    penalty = learner.fit(tasks, tolerance=_TOLERANCE).at.penalty
    assert isinstance(penalty, LearnedAt)
    return correlation(penalty.covariance)


def resample(tasks: TaskSet, generator: Generator) -> TaskSet:
    """As many points of each task, and of each class, drawn with replacement."""
    rows = []
    for _, labels in tasks.points:
        groups = [np.flatnonzero(mask) for mask in _groups(tasks.kind, labels)]
        rows.append(np.concatenate([generator.choice(group, len(group)) for group in groups]))
    return tasks.only(rows)


def _distance(one: Array, other: Array) -> float:
    above = np.triu_indices(len(one), 1)
    return float(np.sqrt(np.mean((one - other)[above] ** 2))) if len(one) > 1 else 0.0


def _losses(learner: Learner, tasks: TaskSet, kept: Sequence[Mask] | None) -> list[Array]:
    """Of every point after learning from those that are kept."""
    solution = learner.fit(tasks if kept is None else tasks.only(kept), tolerance=_TOLERANCE)
    return point_losses(solution.parameters, tasks)


def _groups(kind: Kind, labels: Array) -> list[Mask]:
    """Masks of the classes; one of all where there are none."""
    if kind is Kind.CLASSIFICATION:
        return [labels == value for value in np.unique(labels)]
    return [np.ones(len(labels), np.bool_)]


def _of_each_class(kind: Kind, labels: Array, choose: Callable[[Mask], Rows]) -> Mask:
    """The mask of what `choose` keeps, row numbers, of each class apart: a rare class is not dropped for being rare."""
    kept = np.zeros(len(labels), np.bool_)
    for mask in _groups(kind, labels):
        kept[choose(mask)] = True
    return kept


def _half(generator: Generator, members: Mask) -> Rows:
    rows: Rows = np.flatnonzero(members)
    return generator.permutation(rows)[: max(1, len(rows) // 2)]


def _near(losses: Array, members: Mask) -> Rows:
    rows: Rows = np.flatnonzero(members)
    return rows[losses[rows] <= max(_OUTLIER * float(np.median(losses[rows])), float(losses[rows].min()))]


def _inside(far: Array, members: Mask) -> Rows:
    """What is not outside, or the one that is least."""
    rows: Rows = np.flatnonzero(members)
    return rows[far[rows] <= max(0.0, float(far[rows].min()))]

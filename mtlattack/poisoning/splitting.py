"""Training and test points of each task, in units in which features and labels are of size one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtlattack.errors import InputError
from mtlattack.poisoning.losses import Array, Mask, Rows
from mtlattack.poisoning.tasks import Kind, Points, TaskSet
from mtlattack.wording import counted

_TRIES = 100


@dataclass(frozen=True)
class Units:
    """What was subtracted and divided by: of features `[d]`, the same for all tasks; of labels `[T]`, 0 and 1 for
    classes. All of the training points alone."""

    feature_mean: Array
    feature_scale: Array
    label_mean: Array
    label_scale: Array

    def original(self, task: int, points: Points) -> Points:
        """Points of a task as they would stand in the table."""
        x, y = points
        return x * self.feature_scale + self.feature_mean, y * self.label_scale[task] + self.label_mean[task]

    def standard(self, task: int, points: Points) -> Points:
        """Points of a task, as they stand in the table, in these units."""
        x, y = points
        return (x - self.feature_mean) / self.feature_scale, (y - self.label_mean[task]) / self.label_scale[task]

    def of(self, tasks: TaskSet) -> TaskSet:
        """All tasks in these units."""
        return replace(tasks, points=tuple(self.standard(i, points) for i, points in enumerate(tasks.points)))


@dataclass(frozen=True)
class Split:
    """Standardised training and test tasks, and how to come back."""

    train: TaskSet
    test: TaskSet
    units: Units


def split_tasks(tasks: TaskSet, seed: int, test_share: float = 0.3) -> Split:
    """A random share of every task's points is for testing, of each class where there are classes.

    Where tasks share rows of their source, a row is on one side in all of them: what is tested was seen by no task. At
    least one point of each task (and class, where there are two of it) is on either side. InputError for a share
    outside (0, 1), and for a task that cannot be split.
    """
    if not 0 < test_share < 1:
        raise InputError(f"test share {test_share:g}, expected above 0 and below 1")
    generator = np.random.default_rng([seed, 0x5011])
    if tasks.rows is None:
        chosen = [
            _test_points(name, labels, tasks.kind, test_share, generator)
            for name, (_, labels) in zip(tasks.names, tasks.points, strict=True)
        ]
    else:
        chosen = _test_rows(tasks, tasks.rows, test_share, generator)
    train, test = tasks.only([~rows for rows in chosen]), tasks.only(chosen)
    units = units_of(train)
    return Split(units.of(train), units.of(test), units)


def _test_points(name: str, labels: Array, kind: Kind, share: float, generator: np.random.Generator) -> Mask:
    chosen = np.zeros(len(labels), np.bool_)
    for members in _groups(name, labels, kind):
        count = min(max(1, round(share * len(members))), len(members) - 1)
        chosen[generator.permutation(members)[:count]] = True
    return chosen


def _groups(name: str, labels: Array, kind: Kind) -> list[Rows]:
    """The points that must be on both sides, by class where there are classes; InputError for one that is alone."""
    found: list[Rows] = []
    for group in np.unique(labels) if kind is Kind.CLASSIFICATION else [None]:
        members = np.arange(len(labels)) if group is None else np.flatnonzero(labels == group)
        if len(members) < 2:
            which = "" if group is None else f" of class {group:g}"
            raise InputError(f"task {name!r} has {len(members)} point{which}, expected two: to learn from and to test")
        found.append(members)
    return found


def _test_rows(tasks: TaskSet, rows: Sequence[Rows], share: float, generator: np.random.Generator) -> list[Mask]:
    """Masks of the points in a random share of the source's rows, about the same of rows that mean the same to all."""
    sources = np.unique(np.concatenate(rows))
    places = [np.searchsorted(sources, each) for each in rows]
    # What a row is to each task: nothing, or its class. Rows that are the same to all lie side by side below.
    meaning = np.full((len(sources), len(tasks)), -1.0)
    for task, ((_, labels), place) in enumerate(zip(tasks.points, places, strict=True)):
        meaning[place, task] = labels if tasks.kind is Kind.CLASSIFICATION else 0
    _, alike = np.unique(meaning, axis=0, return_inverse=True)
    groups = [
        place[members]
        for name, (_, labels), place in zip(tasks.names, tasks.points, places, strict=True)
        for members in _groups(name, labels, tasks.kind)
    ]
    for _ in range(_TRIES):
        order = np.lexsort((generator.random(len(sources)), alike.ravel()))
        marks = np.floor(share * np.arange(len(sources) + 1) + generator.random())
        tested = np.zeros(len(sources), np.bool_)
        tested[order] = np.diff(marks) > 0
        if all(tested[group].any() and not tested[group].all() for group in groups):
            return [tested[place] for place in places]
    raise InputError(
        f"no split of {counted(len(sources), 'row')} that tasks share has points of each task and class on both sides, "
        f"at a test share of {share:g}; give more rows, or leave out the rarest class"
    )


def units_of(train: TaskSet) -> Units:
    """In which the features of all tasks, and the labels of each, have mean 0 and deviation 1."""
    every = np.concatenate([x for x, _ in train.points])
    mean, scale = every.mean(0), _nonzero(every.std(0))
    if train.kind is Kind.CLASSIFICATION:
        return Units(mean, scale, np.zeros(len(train)), np.ones(len(train)))
    labels = [y for _, y in train.points]
    return Units(mean, scale, np.array([y.mean() for y in labels]), _nonzero(np.array([y.std() for y in labels])))


def _nonzero(scales: Array) -> Array:
    """1 for what never varies."""
    return np.where(scales > 0, scales, 1.0)

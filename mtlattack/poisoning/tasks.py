"""Related tasks as tables of numbers: points and labels of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from mtlattack.errors import InputError
from mtlattack.poisoning.losses import Array, Logistic, Loss, Mask, Rows, Squared
from mtlattack.wording import counted


class Kind(StrEnum):
    """What the labels are, and so which loss is minimised."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"

    @property
    def loss(self) -> Loss:
        """The squared loss, or the logistic one."""
        return Squared() if self is Kind.REGRESSION else Logistic()


Points = tuple[Array, Array]
"""Features `[n, d]` and labels `[n]`."""


@dataclass(frozen=True)
class TaskSet:
    """T tasks over the same d features: of each, points `[n_i, d]` and labels `[n_i]` (0 or 1 for classification).

    `rows` `[n_i]` says of each point which row of the source it is, where tasks share those; None: each is its own.
    `make_tasks` makes one of whatever there is, and says what is wrong with it.
    """

    kind: Kind
    names: tuple[str, ...]
    points: tuple[Points, ...]
    rows: tuple[Rows, ...] | None = None

    def __len__(self) -> int:
        return len(self.points)

    @property
    def dimension(self) -> int:
        """d."""
        return self.points[0][0].shape[1]

    @property
    def sizes(self) -> list[int]:
        """n_i."""
        return [len(labels) for _, labels in self.points]

    def with_points(self, added: Mapping[int, Points]) -> "TaskSet":
        """The tasks with more points, by the task's number; these are rows of no source, so none is known any more."""
        points = list(self.points)
        for task, (features, labels) in added.items():
            old_features, old_labels = points[task]
            points[task] = np.concatenate([old_features, features]), np.concatenate([old_labels, labels])
        return replace(self, points=tuple(points), rows=None)

    def only(self, rows: Sequence[Mask | Rows]) -> "TaskSet":
        """The tasks with only these rows of each, numbers or a mask."""
        points = tuple((x[row], y[row]) for (x, y), row in zip(self.points, rows, strict=True))
        sources = None if self.rows is None else tuple(s[row] for s, row in zip(self.rows, rows, strict=True))
        return replace(self, points=points, rows=sources)

    def numbers(self, names: Iterable[str], option: str) -> tuple[int, ...]:
        """The numbers of tasks by name; InputError for a name that is none, and for none at all."""
        chosen = tuple(dict.fromkeys(names))
        if not chosen:
            raise InputError(f"{option} names no task")
        for name in chosen:
            if name not in self.names:
                some = ", ".join(self.names[:8]) + (", …" if len(self.names) > 8 else "")
                raise InputError(f"{option} {name!r}, expected a task: {some}")
        return tuple(self.names.index(name) for name in chosen)


def make_tasks(
    kind: Kind | str,
    points: Sequence[tuple[ArrayLike, ArrayLike]],
    names: Sequence[str] | None = None,
    rows: Sequence[ArrayLike] | None = None,
) -> TaskSet:
    """Tasks of features `[n_i, d]` and labels `[n_i]` each; labels of classification are 0 or 1.

    `rows` numbers `[n_i]` are needed where tasks share rows of their source: a row is then learned from or tested, in
    all tasks alike. InputError for no task, a name that is there twice, shapes that do not fit, an empty task, and
    values that are not finite. Points that occur several times are as good as others: they count several times.
    """
    kind = Kind(kind)
    names = [str(i) for i in range(len(points))] if names is None else list(names)
    if not points:
        raise InputError("no task, expected at least one")
    if len(names) != len(points):
        raise InputError(f"{counted(len(names), 'name')} for {counted(len(points), 'task')}, expected one each")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two tasks are called {twice!r}, expected different names")
    checked = [_checked(name, x, y, kind) for name, (x, y) in zip(names, points, strict=True)]
    dimensions = [x.shape[1] for x, _ in checked]
    for name, dimension in zip(names, dimensions, strict=True):
        if dimension != dimensions[0]:
            raise InputError(
                f"task {name!r} has {counted(dimension, 'feature')}, task {names[0]!r} has {dimensions[0]}"
            )
    return TaskSet(kind, tuple(names), tuple(checked), None if rows is None else _numbered(names, checked, rows))


def _numbered(names: Sequence[str], points: Sequence[Points], rows: Sequence[ArrayLike]) -> tuple[Rows, ...]:
    numbers = tuple(np.asarray(each, np.intp) for each in rows)
    if len(numbers) != len(points):
        raise InputError(
            f"row numbers of {counted(len(numbers), 'task')} for {counted(len(points), 'task')}, expected one each"
        )
    for name, (_, y), each in zip(names, points, numbers, strict=True):
        if each.shape != y.shape:
            raise InputError(
                f"task {name!r} has row numbers {each.shape} for {counted(len(y), 'point')}, expected one each"
            )
    return numbers


def _checked(name: str, features: ArrayLike, labels: ArrayLike, kind: Kind) -> Points:
    x, y = np.asarray(features, np.float64), np.asarray(labels, np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise InputError(f"task {name!r} has features {x.shape} and labels {y.shape}, expected [n, d] and [n]")
    if not x.size:
        raise InputError(f"task {name!r} is empty (features {x.shape}), expected at least one point and one feature")
    for what, values in (("feature", x), ("label", y)):
        if not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values))[0][0])
            raise InputError(f"task {name!r}: a {what} of point {row} is not finite")
    if kind is Kind.CLASSIFICATION and not np.isin(y, (0, 1)).all():
        wrong = y[~np.isin(y, (0, 1))][0]
        raise InputError(f"task {name!r} has label {wrong:g}, expected 0 or 1")
    return x, y

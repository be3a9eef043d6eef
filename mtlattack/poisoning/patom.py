"""PATOM: points injected into some tasks so that others are learned badly (Zhao, An, Yu, Liu, Pan, AAAI 2018)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from mtlattack.errors import InputError
from mtlattack.poisoning.budget import injected_counts
from mtlattack.poisoning.data_term import DataTerm, extend
from mtlattack.poisoning.feasible import Feasible
from mtlattack.poisoning.gradient import Omega, Utility, poison_gradient
from mtlattack.poisoning.labels import Labels, ascend, flip, label_range
from mtlattack.poisoning.learner import Learner
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.newton import Solution, minimise
from mtlattack.poisoning.tasks import Points, TaskSet
from mtlattack.schemas import check_seed

_INNER_TOLERANCE = 1e-6
_ADJOINT_RESIDUAL = 1e-6
_LAST_STEP = 0.05  # of the first


@dataclass(frozen=True)
class Goal:
    """Who is attacked: `targets` are to be learned badly, points go into `attacked`, tasks by number.

    `budget` is a share of each attacked task's points (float) or a number of points in all (int).
    """

    targets: tuple[int, ...]
    attacked: tuple[int, ...]
    budget: float | int
    feasible: Feasible


@dataclass(frozen=True)
class Poison:
    """Injected points `[m, d]` and labels `[m]` by task, and the utility as it rose (the chosen restart's)."""

    points: Mapping[int, Points]
    utility: float
    history: tuple[float, ...] = field(repr=False, default=())


@dataclass(frozen=True)
class Start:
    """What an attack begins with, by task: clean points as anchors `[m, d]`, points in reach of them, labels."""

    anchors: dict[int, Array]
    points: dict[int, Points]


def draw_start(tasks: TaskSet, goal: Goal, labels: Labels, generator: Generator) -> Start:
    """Clean points of the attacked tasks with their labels, flipped if so asked, each moved at random within reach."""
    anchors, points = {}, {}
    for task, count in injected_counts(tasks, goal.attacked, goal.budget).items():
        x, y = tasks.points[task]
        rows = generator.choice(len(y), count, replace=count > len(y))
        anchors[task] = x[rows]
        chosen = flip(y[rows], *label_range(tasks, task)) if labels is Labels.FLIPPED else y[rows]
        points[task] = goal.feasible.draw(x[rows], generator), chosen
    return Start(anchors, points)


@dataclass(frozen=True)
class Patom:
    """Projected stochastic gradient ascent on U (Algorithm 1), from random feasible points.

    Every iteration learns anew from where it was, takes ∂U/∂x̂ there, and moves `batch` of the injected points (default:
    all) by `step` of the feasible set's width along it, each point by the same; the step falls linearly to a twentieth.
    Of all iterations, and of all `restarts`, the points with the highest utility are kept.
    """

    omega: Omega = Omega.EXACT
    labels: Labels = Labels.FIXED
    iterations: int = 100
    step: float = 0.1
    batch: int | None = None
    restarts: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("iterations", "restarts"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)}, expected at least 1")
        if self.batch is not None and self.batch < 1:
            raise InputError(f"batch {self.batch}, expected at least one point")
        if not 0 < self.step < np.inf:
            raise InputError(f"step {self.step!r}, expected a positive share of the feasible set's width")
        check_seed(self.seed)

    def __call__(
        self, learner: Learner, tasks: TaskSet, goal: Goal, advance: Callable[[], object] = lambda: None
    ) -> Poison:
        """The poison for a victim that learns as `learner` does; `advance` is called after every iteration."""
        clean = learner.data(tasks)
        utility = Utility(clean, goal.targets)
        begin = minimise(learner.objective(clean, tasks.dimension), learner.start(tasks), _INNER_TOLERANCE).parameters
        runs = [
            _Run(self, learner, tasks, goal, clean, utility, begin, np.random.default_rng([self.seed, restart]))
            for restart in range(self.restarts)
        ]
        return max((run.ascend(advance) for run in runs), key=lambda poison: poison.utility)


class _Run:
    """One restart."""

    def __init__(
        self, attack: Patom, learner: Learner, tasks: TaskSet, goal: Goal, clean: DataTerm, utility: Utility,
        begin: Array, generator: Generator,
    ) -> None:  # fmt: skip
        self._attack, self._learner, self._tasks, self._goal = attack, learner, tasks, goal
        self._clean, self._utility, self._generator = clean, utility, generator
        self._warm = begin

    def ascend(self, advance: Callable[[], object]) -> Poison:
        attack = self._attack
        start = draw_start(self._tasks, self._goal, attack.labels, self._generator)
        points, history = start.points, []
        best = points
        for iteration in range(attack.iterations):
            data, solution = self._learn(points)
            history.append(self._utility.value(solution.parameters))
            if history[-1] >= max(history):
                best = points
            length = attack.step * (1 - (1 - _LAST_STEP) * iteration / max(1, attack.iterations - 1))
            points = self._moved(points, start.anchors, data, solution, length)
            advance()
        _, solution = self._learn(points)
        history.append(self._utility.value(solution.parameters))
        if history[-1] >= max(history):
            best = points
        return Poison(best, max(history), tuple(history))

    def _learn(self, points: Mapping[int, Points]) -> tuple[DataTerm, Solution]:
        """The lower level's minimum with these points, from the last one."""
        data = self._clean.with_points(self._extended(points))
        objective = self._learner.objective(data, self._tasks.dimension)
        solution = minimise(objective, self._warm, _INNER_TOLERANCE)
        self._warm = solution.parameters
        return data, solution

    def _moved(
        self, points: Mapping[int, Points], anchors: Mapping[int, Array], data: DataTerm, solution: Solution,
        length: float,
    ) -> dict[int, Points]:  # fmt: skip
        gradients = poison_gradient(
            solution.at, self._utility, self._extended(points), data.sizes, self._tasks.kind.loss,
            self._attack.omega, _ADJOINT_RESIDUAL,
        )  # fmt: skip
        widths = self._goal.feasible.widths
        moved = {}
        for (task, (x, y)), chosen in zip(points.items(), self._batch(points), strict=True):
            slope = gradients[task][0][:, : self._tasks.dimension] * widths
            norms = np.abs(slope).max(1, keepdims=True)
            direction = widths * np.divide(slope, norms, out=np.zeros_like(slope), where=norms > 0)
            there = self._goal.feasible.project(x + length * chosen[:, None] * direction, anchors[task])
            labels = y
            if self._attack.labels is Labels.OPTIMISED:
                low, high = label_range(self._tasks, task)
                labels = ascend(self._tasks.kind, y, chosen * gradients[task][1], length, low, high)
            moved[task] = there, labels
        return moved

    def _batch(self, points: Mapping[int, Points]) -> Sequence[Array]:
        """Of each task, which points move now: 1 or 0 `[m]`."""
        counts = [len(y) for _, y in points.values()]
        total = sum(counts)
        mask = np.zeros(total)
        mask[self._generator.permutation(total)[: self._attack.batch or total]] = 1
        return np.split(mask, np.cumsum(counts)[:-1])

    def _extended(self, points: Mapping[int, Points]) -> dict[int, Points]:
        return {task: (extend(x, self._learner.intercept), y) for task, (x, y) in points.items()}

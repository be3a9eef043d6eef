"""What an experiment is: everything that its numbers depend on."""

import fnmatch
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.poisoning.baselines import Method
from mtlattack.poisoning.budget import Mode, check_mode, mode_of
from mtlattack.poisoning.defences import FILTERS
from mtlattack.poisoning.feasible import Ball, Box, Feasible
from mtlattack.poisoning.gradient import Omega
from mtlattack.poisoning.labels import Labels
from mtlattack.poisoning.learner import Learner, Solver
from mtlattack.poisoning.patom import Patom
from mtlattack.poisoning.tasks import TaskSet
from mtlattack.schemas import Seed

Share = Annotated[float, Field(gt=0, le=1)]


class Plan(BaseModel):
    """An experiment: every seed is a split, a choice of tasks where none are named, and chance of the attack."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field(description="what the table is called")
    digest: str = Field(description="SHA-256 of its numbers")
    targets: list[str] | None = Field(None, description="tasks to be learned badly; default: a random half, by seed")
    attacked: list[str] | None = Field(None, description="tasks that get points; default: targets, and all others")
    modes: list[Mode] = Field(
        [Mode.DIRECT, Mode.INDIRECT], description="for which attacked tasks, where none are named"
    )
    methods: list[Method] = Field(list(Method))
    budgets: list[float | int] = Field([0.2], min_length=1, description="share of a task's points, or points in all")
    seeds: list[Seed] = Field(list(range(5)), min_length=1)
    test_share: float = 0.3
    ridge: float = Learner.ridge
    relation: float = Learner.relation
    smoothing: float = Learner.smoothing
    omega: Omega = Patom.omega
    labels: Labels = Patom.labels
    iterations: int = Patom.iterations
    step: float = Patom.step
    batch: int | None = Patom.batch
    restarts: int = Patom.restarts
    box: float | None = Field(0.0, description="margin of the box around all points, in its width")
    ball: float | None = Field(None, description="radius around clean points instead, in standard deviations")
    victim: Solver = Field(Solver.ALTERNATING, description="how the victim learns, from nothing")
    victim_tolerance: float = 1e-4
    victim_most: int = Field(300, description="turns, or steps")
    defences: list[str] = Field([], description="filters, and `alarm`")

    @model_validator(mode="after")
    def _fits(self) -> "Plan":
        """What the parts of it check; InputError for what does not go together."""
        _ = self.learner, self.attack(0)
        if (self.box is None) == (self.ball is None):
            raise InputError(f"box {self.box} and ball {self.ball}, expected one of them")
        if self.ball is not None:
            Ball(self.ball)
        for budget in self.budgets:
            if isinstance(budget, float) and not 0 < budget <= 1:
                raise InputError(f"budget {budget:g}, expected a share of a task's points, above 0 and up to 1")
        if len(set(self.budgets)) < len(self.budgets):
            raise InputError(f"budgets {self.budgets}, expected each once, and not 1 beside 1.0")
        for what in ("modes", "methods", "seeds", "defences"):
            values = getattr(self, what)
            if len(set(values)) < len(values):
                raise InputError(f"{what} {', '.join(map(str, values))}, expected each once")
        for name in self.defences:
            if name not in (*FILTERS, ALARM):
                raise UnknownNameError("defence", name, [*FILTERS, ALARM])
        if Mode.MIXED in self.modes and self.attacked is None:
            raise InputError("a mixed attack needs to be told the attacked tasks")
        return self

    @property
    def learner(self) -> Learner:
        """Of attacker and victim alike."""
        return Learner(self.ridge, self.relation, self.smoothing)

    def attack(self, seed: int) -> Patom:
        """PATOM with this seed."""
        return Patom(self.omega, self.labels, self.iterations, self.step, self.batch, self.restarts, seed)

    def feasible(self, train: TaskSet) -> Feasible:
        """Where points may lie, in the units of the training points."""
        return Box.around(train, self.box or 0.0) if self.ball is None else Ball(self.ball)


ALARM = "alarm"


@dataclass(frozen=True)
class Cell:
    """One attack of an experiment, or none: the clean one of its seed."""

    seed: int
    mode: Mode | None = None
    method: Method | None = None
    budget: float | int | None = None

    @property
    def key(self) -> str:
        """What its files are called."""
        if self.method is None:
            return f"seed{self.seed}-clean"
        budget = f"{self.budget}points" if isinstance(self.budget, int) else f"{self.budget:g}"
        return f"seed{self.seed}-{self.mode}-{self.method}-{budget}"


def cells(plan: Plan, modes: Sequence[Mode]) -> Iterator[Cell]:
    """All of them, those of a seed together, the clean one first."""
    for seed in plan.seeds:
        yield Cell(seed)
        for mode in modes:
            for method in plan.methods:
                for budget in plan.budgets:
                    yield Cell(seed, mode, method, budget)


@dataclass(frozen=True)
class Sides:
    """Targets, and who is attacked in each mode, tasks by number."""

    targets: tuple[int, ...]
    attacked: dict[Mode, tuple[int, ...]]


def sides_of(plan: Plan, tasks: TaskSet, seed: int) -> Sides:
    """Who is who in a seed; InputError for names that are none, and where targets leave nobody to attack indirectly."""
    if plan.targets is None:
        order = np.random.default_rng([seed, 0x7A5]).permutation(len(tasks))
        excluded = (
            set(tasks.numbers(matching(tasks, plan.attacked, "--attacked"), "--attacked")) if plan.attacked else set()
        )
        free = [int(i) for i in order if i not in excluded]
        if not free:
            raise InputError("--attacked names all tasks; say with --targets which of them are to be learned badly")
        targets = tuple(sorted(free[: max(1, len(tasks) // 2)]))
    else:
        targets = tasks.numbers(matching(tasks, plan.targets, "--targets"), "--targets")
    for task in targets:
        labels = tasks.points[task][1]
        if labels.min() == labels.max():
            raise InputError(
                f"all labels of target {tasks.names[task]!r} are {labels[0]:g}: it has no error to be told"
            )
    if plan.attacked is not None:
        attacked = tasks.numbers(matching(tasks, plan.attacked, "--attacked"), "--attacked")
        mode = mode_of(targets, attacked)
        asked = [m for m in plan.modes if m is mode] or plan.modes
        check_mode(asked[0], tasks, targets, attacked)
        return Sides(targets, {mode: attacked})
    rest = tuple(i for i in range(len(tasks)) if i not in targets)
    if Mode.INDIRECT in plan.modes and not rest:
        raise InputError("all tasks are targets: none is left for an indirect attack; take --mode direct")
    of_mode = {Mode.DIRECT: targets, Mode.INDIRECT: rest}
    return Sides(targets, {mode: of_mode[mode] for mode in plan.modes})


def matching(tasks: TaskSet, globs: Sequence[str], option: str) -> list[str]:
    """Names that any of the globs matches; a glob that matches none stays as it is, for `numbers` to refuse."""
    chosen: list[str] = []
    for glob in globs:
        chosen += fnmatch.filter(tasks.names, glob) or [glob]
    return chosen


def digest_of(tasks: TaskSet) -> str:
    """SHA-256 of names, shapes, numbers, and of which rows tasks share."""
    found = hashlib.sha256(repr((tasks.kind.value, tasks.names, tasks.sizes, tasks.dimension)).encode())
    for x, y in tasks.points:
        found.update(np.ascontiguousarray(x).tobytes())
        found.update(np.ascontiguousarray(y).tobytes())
    for rows in tasks.rows or ():
        found.update(rows.astype("<i8").tobytes())
    return found.hexdigest()


def plan_document(plan: Plan) -> dict[str, Any]:
    """As JSON, to be compared with a stored one: points are told from shares, 1 from 1.0."""
    budgets = [f"{budget} points" if isinstance(budget, int) else budget for budget in plan.budgets]
    return plan.model_dump(mode="json") | {"budgets": budgets}

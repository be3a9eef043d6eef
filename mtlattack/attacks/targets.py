"""Targets: what the predictions of an attacked image are led to, in place of merely away from the truth."""

from collections.abc import Mapping
from dataclasses import replace

from mtlattack.attacks.aggregators.base import Aggregator
from mtlattack.attacks.criteria.base import Criterion
from mtlattack.attacks.options import TargetError
from mtlattack.attacks.problem import Problem
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.tasks import KEEP, Goal, TaskMap, alone

# By task what its goal is written as: {"segmentation": "1->5", "depth": "x1.5"}.
Target = Mapping[str, str]


def check_target(target: Target, aggregator: Aggregator, criterion: Criterion | None) -> None:
    """InputError for a target that is none or leads nowhere, TargetError for parts of an attack that lead to none."""
    _check_shape(target)
    if len(kept_of(target)) == len(target):
        raise InputError(f"the target {target_text(target)} leads nowhere: beside {KEEP} expected a goal for some task")
    reason = aggregator.why_no_target()
    if reason:
        raise TargetError(
            f"{aggregator.kind} leads to no target: {reason}; expected one of total, single:<task>, "
            "relative, signsum, average, mgda, nash, maxmin, sparse-maxmin, regional"
        )
    if criterion is not None and not criterion.descends:
        raise TargetError(f"{criterion.kind} weights pixels by what is still right, which leads to no target")
    _check_named(target, aggregator)


def _check_named(target: Target, aggregator: Aggregator) -> None:
    """TargetError for an aggregator of one task that the target leads nowhere."""
    try:
        looked_at = aggregator.tasks(list(target))
    except UnknownNameError as error:
        raise TargetError(f"{aggregator.name} leads nowhere: {error}") from None
    if set(looked_at) <= set(kept_of(target)):
        raise TargetError(f"{aggregator.name} leads nowhere: the target is to {KEEP} {', '.join(looked_at)}")


def goals_of(target: Target, tasks: TaskMap) -> dict[str, Goal]:
    """The goals by task, in the order of a model's tasks; UnknownNameError for a task that the model lacks or a goal
    that its kind lacks, InputError for a number out of range."""
    _check_shape(target)
    for name in target:
        if name not in tasks:
            raise UnknownNameError("task of the target", name, tasks)
    return {name: alone(task).goal(target[name]) for name, task in tasks.items() if name in target}


def _check_shape(target: object) -> None:
    pairs = list(target.items()) if isinstance(target, Mapping) else []
    if not pairs or not all(isinstance(part, str) for pair in pairs for part in pair):
        raise InputError(f"target {target!r}, expected a text by task, as {{'segmentation': '1->5', 'depth': 'x1.5'}}")


def led(problem: Problem, goals: Mapping[str, Goal]) -> Problem:
    """The problem of the tasks that have a goal, with their goals for labels."""
    return replace(
        problem,
        tasks={name: problem.tasks[name] for name in goals},
        targets={name: goal.of(problem.targets[name]) for name, goal in goals.items()},
    )


def kept_of(target: Target) -> list[str]:
    """The tasks that are not to become worse."""
    return [name for name, goal in target.items() if goal == KEEP]


def target_text(target: Target) -> str:
    """As it is read: `segmentation 1->5, depth x1.5`."""
    return ", ".join(f"{task} {goal}" for task, goal in target.items())

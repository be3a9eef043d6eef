"""The aggregators that there are, by kind."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from mtlattack.attacks.aggregators.base import Aggregator
from mtlattack.attacks.options import check_known
from mtlattack.errors import UnknownNameError
from mtlattack.registry import Registry, match_names
from mtlattack.tasks import list_tasks

# Constructors that take options, and the task where `needs_task` says so.
AGGREGATORS: Registry[type[Aggregator]] = Registry("aggregator")


def create_aggregator(name: str, **options: Any) -> Aggregator:
    """The aggregator called `name`: a kind, or `kind:task` where one task is meant; UnknownNameError otherwise.

    InputError for an option that it does not take or a value out of range.
    """
    kind, _, task = name.partition(":")
    if kind in AGGREGATORS:
        aggregator = AGGREGATORS.get(kind)
        if aggregator.needs_task == bool(task) == (":" in name):
            check_known(kind, options, aggregator_options(kind))
            return aggregator(**options, **({"task": task} if task else {}))
    raise UnknownNameError("aggregator", name, list_aggregators(tasks=[task] if task else None))


def aggregator_options(kind: str) -> tuple[str, ...]:
    """Names of the options that a kind of aggregator takes."""
    return tuple(field.name for field in fields(AGGREGATORS.get(kind)) if field.name != "task")


def list_aggregators(pattern: str = "*", tasks: Sequence[str] | None = None) -> list[str]:
    """Names that match a glob, for a model with these tasks (all registered ones by default)."""
    tasks = list_tasks() if tasks is None else tasks
    names: list[str] = []
    for kind in AGGREGATORS:
        names += [f"{kind}:{task}" for task in tasks] if AGGREGATORS.get(kind).needs_task else [kind]
    return match_names(names, pattern)

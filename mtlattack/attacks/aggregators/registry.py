"""The aggregators that there are, by kind."""

from collections.abc import Sequence

from mtlattack.attacks.aggregators.base import Aggregator
from mtlattack.errors import UnknownNameError
from mtlattack.registry import Registry, match_names
from mtlattack.tasks import list_tasks

# A constructor that takes nothing, or the task where `needs_task` says so.
AGGREGATORS: Registry[type[Aggregator]] = Registry("aggregator")


def create_aggregator(name: str) -> Aggregator:
    """The aggregator called `name`: a kind, or `kind:task` where one task is meant; UnknownNameError otherwise."""
    kind, _, task = name.partition(":")
    if kind in AGGREGATORS:
        aggregator = AGGREGATORS.get(kind)
        if aggregator.needs_task == bool(task) == (":" in name):
            return aggregator(*[task] * aggregator.needs_task)
    raise UnknownNameError("aggregator", name, list_aggregators(tasks=[task] if task else None))


def list_aggregators(pattern: str = "*", tasks: Sequence[str] | None = None) -> list[str]:
    """Names that match a glob, for a model with these tasks (all registered ones by default)."""
    tasks = list_tasks() if tasks is None else tasks
    names: list[str] = []
    for kind in AGGREGATORS:
        names += [f"{kind}:{task}" for task in tasks] if AGGREGATORS.get(kind).needs_task else [kind]
    return match_names(names, pattern)

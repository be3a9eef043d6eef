"""The tasks that there are, by kind."""

from collections.abc import Mapping
from typing import Any

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.registry import Registry
from mtlattack.tasks.base import Task, TaskMap
from mtlattack.tasks.plugins import VARIABLE

TASKS: Registry[type[Task]] = Registry("task")


class UnknownKindError(UnknownNameError):
    """A kind of task that is not known here; the message says how to give the module of one's own."""

    def __init__(self, kind: str, what: str = "task") -> None:
        super().__init__(what, kind, TASKS, f"of a kind of your own give the module with --plugin or ${VARIABLE}")


def create_task(kind: str, **options: Any) -> Task:
    """The task called `kind`, e.g. `create_task("segmentation", classes=13)`; UnknownKindError for one that is not
    known here, InputError for wrong options."""
    try:
        if kind not in TASKS:
            raise UnknownKindError(kind)
        return TASKS.get(kind)(**options)
    except TypeError as error:
        raise InputError(f"task {kind!r}: {error}") from None


def task_from_config(config: Mapping[str, Any]) -> Task:
    """The task that `Task.config` described."""
    if "kind" not in config:
        raise InputError(f"task description {dict(config)} has no 'kind'")
    options = dict(config)
    name = options.pop("name", None)
    task = create_task(**options)
    return task if name is None else task.called(name)


def describe_tasks(tasks: TaskMap) -> list[dict[str, Any]]:
    """`Task.config` of a model's tasks, in their order, each called by its key; InputError for a key that is no
    name."""
    return [task.called(name).config() for name, task in tasks.items()]


def task_types() -> dict[str, type[Task]]:
    """The class of every kind of task."""
    return {kind: TASKS.get(kind) for kind in list_tasks()}


def list_tasks(pattern: str = "*") -> list[str]:
    """Names of the tasks that match a glob."""
    return TASKS.names(pattern)

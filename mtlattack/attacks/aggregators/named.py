"""Aggregators that are named with a task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mtlattack.attacks.aggregators.base import Aggregator
from mtlattack.errors import UnknownNameError


@dataclass(frozen=True, kw_only=True)
class NamedByTask(Aggregator):
    """One that treats the task `task` unlike the others, named `<kind>:<task>`."""

    needs_task: ClassVar[bool] = True

    task: str

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.task}"

    def tasks(self, names: Sequence[str]) -> tuple[str, ...]:
        """All of them, its own first; UnknownNameError where the model has no such task."""
        if self.task not in names:
            raise UnknownNameError("task", self.task, names)
        return (self.task, *(name for name in names if name != self.task))

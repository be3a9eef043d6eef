"""SINGLE: one task alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.aggregators.total import Total
from mtlattack.errors import UnknownNameError


@AGGREGATORS.register("single")
@dataclass(frozen=True, kw_only=True)
class Single(Total):
    """Ascend L_t of one task t, named `single:<task>` (SINGLE of arXiv 2305.12066); the other heads are not touched."""

    kind: ClassVar[str] = "single"
    needs_task: ClassVar[bool] = True

    task: str

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.task}"

    def tasks(self, names: Sequence[str]) -> tuple[str, ...]:
        if self.task not in names:
            raise UnknownNameError("task", self.task, names)
        return (self.task,)

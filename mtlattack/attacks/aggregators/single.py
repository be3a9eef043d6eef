"""SINGLE: one task alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mtlattack.attacks.aggregators.named import NamedByTask
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.aggregators.total import Total


@AGGREGATORS.register("single")
@dataclass(frozen=True, kw_only=True)
class Single(NamedByTask, Total):
    """Ascend L_t of one task t, named `single:<task>` (SINGLE of arXiv 2305.12066); the other heads are not touched."""

    kind: ClassVar[str] = "single"

    def tasks(self, names: Sequence[str]) -> tuple[str, ...]:
        """Its own alone."""
        return super().tasks(names)[:1]

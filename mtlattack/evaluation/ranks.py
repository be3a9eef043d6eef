"""Processes that do one run together, each a shard of it: what one of them has found out the others need not."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Ranks(Protocol):
    """Such processes; all of them make the same calls in the same order."""

    def once(self, compute: Callable[[], T]) -> T:
        """What `compute` gives, or raises, in one of them, in each of them."""
        ...

    def any(self, here: bool) -> bool:
        """Whether it is so in any of them."""
        ...


class Alone:
    """One process by itself."""

    def once(self, compute: Callable[[], T]) -> T:
        return compute()

    def any(self, here: bool) -> bool:
        return here


ALONE = Alone()

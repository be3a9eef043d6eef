"""Named things: attacks, tasks, models. A second registration is an error, a miss says what was meant."""

import fnmatch
import re
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from mtlattack.errors import UnknownNameError

T = TypeVar("T")


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts `resnet9` before `resnet10`."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def match_names(names: Iterator[str] | list[str], pattern: str = "*") -> list[str]:
    """The names that match a glob, in natural order; one that is the glob to the letter matches, brackets and all."""
    there = list(names)
    return sorted({*fnmatch.filter(there, pattern), *({pattern} & {*there})}, key=natural_key)


class Registry(Generic[T]):
    """A name → thing table for one kind of thing (`kind` is used in messages)."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that files a thing under `name`; ValueError if the name is taken."""

        def add(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = entry
            return entry

        return add

    def get(self, name: str) -> T:
        """The thing called `name`; UnknownNameError with the nearest name otherwise."""
        if name not in self._entries:
            raise UnknownNameError(self.kind, name, self._entries)
        return self._entries[name]

    def names(self, pattern: str = "*") -> list[str]:
        """Registered names that match a glob, in natural order."""
        return match_names(list(self._entries), pattern)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

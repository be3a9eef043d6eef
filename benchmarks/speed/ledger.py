"""An exclusive account of wall-clock time: every moment belongs to exactly one section."""

import functools
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

REST = "rest"


class Ledger:
    """Seconds by section of the thread that made it, from then until `close`.

    While a section is open, time goes to it and not to the one around it; outside all of them it goes to `rest`.
    `absorbed` names, by section, those that count as the section itself when they are opened inside it. What other
    threads do meanwhile costs no wall time: it stands apart, in `aside`. `settle` is called before a section changes
    hands; on a device that works by itself it must wait for it.
    """

    def __init__(
        self,
        absorbed: Mapping[str, Collection[str]] | None = None,
        settle: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.aside: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._absorbed, self._settle, self._clock = absorbed or {}, settle, clock
        self._thread = threading.get_ident()
        self._open = [REST]
        self._since = clock()

    @property
    def wall(self) -> float:
        """Seconds accounted for so far."""
        return sum(self.seconds.values())

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """What happens inside is `name`'s, but for sections opened inside it."""
        if threading.get_ident() != self._thread:
            start = self._clock()
            yield
            self.aside[name] += self._clock() - start
            return
        around = self._open[-1]
        own = around if name in self._absorbed.get(around, ()) else name
        self.calls[own] += own == name
        self._book()
        self._open.append(own)
        try:
            yield
        finally:
            self._book()
            self._open.pop()

    def timed(self, name: str, function: Callable[P, R]) -> Callable[P, R]:
        """The same function, every call a section of this name."""

        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            with self.section(name):
                return function(*args, **kwargs)

        return wrapper

    def close(self) -> None:
        """Book what has passed since the last change of hands."""
        self._book()

    def _book(self) -> None:
        self._settle()
        now = self._clock()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

"""Ctrl-C reaches every process of a terminal: one of ours answers in one line, the others are ended by it."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

INTERRUPTED = 130
"""Exit code, as shells have it."""
_LINE = "stopped; what is finished is kept, the same command goes on from here\n"
_MOMENT = 0.5  # s
_SHOW_CURSOR = "\x1b[?25h"


class Interrupts:
    """What a command does about Ctrl-C: the first one raises KeyboardInterrupt, so that all is closed.

    Libraries in the middle of being imported do not bear that: some crash, some make another exception of it. Python
    itself drops it where nothing can be raised, as in `__del__` or the callback of a weak reference. There, and if a
    second one comes after a moment, the process ends on the spot, which all files that we write bear at any moment.
    What comes with the first is the same: `timeout` signals a process and then its group.
    """

    def __init__(self) -> None:
        self.happened = False
        self._began = 0.0

    @contextmanager
    def answered(self) -> Iterator[None]:
        """Inside, this answers them; not where they are ignored, or somebody else's already."""
        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._answer)
        tell, sys.unraisablehook = sys.unraisablehook, lambda dropped: self._drop(dropped, tell)
        try:
            yield
        finally:
            sys.unraisablehook = tell
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _answer(self, _: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if _is_importing(frame) or (self.happened and now - self._began > _MOMENT):
            end()
        if self.happened:
            return
        self.happened, self._began = True, now
        raise KeyboardInterrupt

    def _drop(self, dropped: "sys.UnraisableHookArgs", tell: Callable[["sys.UnraisableHookArgs"], object]) -> None:
        if self.happened and issubclass(dropped.exc_type, KeyboardInterrupt):
            end()
        tell(dropped)


def say_stopped() -> None:
    """The one line; the cursor, which a progress bar hides, is back."""
    cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""
    print(cursor + _LINE, end="", file=sys.stderr, flush=True)


def end() -> None:
    """Say so and leave this process at once, its workers ended: a library that was interrupted may crash as it ends."""
    with suppress(Exception):  # a second interrupt may find it in the middle of writing
        sys.stdout.flush()
    say_stopped()
    workers = sys.modules.get("multiprocessing.process")
    for worker in workers.active_children() if workers else ():
        worker.kill()
    os._exit(INTERRUPTED)


def leave_to_parent(*_: object) -> None:
    """In a worker process: interrupts are for the process that started it, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def held_back() -> Iterator[None]:
    """Inside, an interrupt waits until the end, and processes that are started hear of none at all, also while they
    import what they need; where there is no blocking of signals, as on Windows, nothing is held back."""
    block = getattr(signal, "pthread_sigmask", None)
    if block is None:
        yield
        return
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    if tracker is not None:  # It begins with the first process, and lets interrupts in again.
        tracker.ensure_running()
    before = block(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        block(signal.SIG_SETMASK, before)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False

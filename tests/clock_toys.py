"""A clock on the wall that goes backwards, and files from the future."""

import os
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest

YEAR = 365 * 24 * 3600.0


def turn_back(patch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Wherever the library is, each look at the clock on the wall shows an hour less; gives how often it was looked at.

    Clocks that measure how long something took, `monotonic` and `perf_counter`, cannot be set by anyone.
    """
    begun, looks = time.time(), 0

    def now() -> float:
        nonlocal looks
        looks += 1
        return begun - 3600 * looks

    class Turned(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Turned":
            return cls.fromtimestamp(now(), tz)

    patch.setattr(time, "time", now)
    for name, module in list(sys.modules.items()):
        if name.startswith("mtlattack.") and vars(module).get("datetime") is datetime:
            patch.setattr(module, "datetime", Turned)
    return lambda: looks


def send_ahead(folder: Path) -> None:
    """All files below a folder were written next year."""
    then = time.time() + YEAR
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def set_back(module: str, patch: pytest.MonkeyPatch, days: float) -> None:
    """In one module it is so many days earlier."""

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Earlier":
            return cls.fromtimestamp(time.time() - timedelta(days=days).total_seconds(), tz)

    patch.setattr(f"{module}.datetime", Earlier)

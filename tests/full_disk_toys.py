"""A disk on which no file may grow beyond some size: a write fails in its middle, as where there is no more room."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def full_disk(largest: int) -> Iterator[None]:
    """Inside, files of this process end at `largest` bytes."""
    resource = pytest.importorskip("resource")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # Python does not notice that the bytecode of a module was written in part.
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        sys.dont_write_bytecode = bytecode
        signal.signal(signal.SIGXFSZ, handler)


def assert_said_in_words(do: Callable[[], object], largest: int, folder: Path) -> None:
    """It fails on such a disk in one line, and nothing unfinished is left in the folder."""
    with full_disk(largest), pytest.raises(Exception, match="File too large|the disk took a part") as error:
        do()
    assert "\n" not in str(error.value)
    assert not [path for path in folder.rglob("*") if path.name.endswith(".partial")]

"""One cell, run so that whatever goes wrong is told and nothing raised."""

import io
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import torch

from mtlattack.campaigns.engine import Circumstances, Result
from mtlattack.errors import InputError
from mtlattack.files import write_whole
from mtlattack.locking import InUseError, held

MESSAGES = "messages.txt"
"""File in a cell's folder: warnings, and the whole text of what went wrong."""

# A worker whose campaign was killed lets go of its cell within this time.
_PATIENCE = 20.0


def settle(circumstances: Circumstances) -> Path:
    """Make this process a worker's own: folder, command and threads; gives where results go."""
    os.chdir(circumstances.folder)
    sys.argv = list(circumstances.command)
    torch.set_num_threads(circumstances.threads)
    return Path(circumstances.out)


def guarded(name: str, folder: Path, work: Callable[[], None]) -> Result:
    """Do the work of the cell `name`, alone in its `folder`; what goes wrong is in the result and in `messages.txt`."""
    started, said = time.perf_counter(), io.StringIO()
    error, spoiled = None, False
    with redirect_stdout(said), redirect_stderr(said), warnings.catch_warnings():
        warnings.simplefilter("default")  # of each cell, not of each worker
        try:
            with _held_at_last(folder):
                work()
        except InputError as problem:
            error = str(problem)
        except (Exception, SystemExit) as problem:
            error = f"{type(problem).__name__}: {problem}"
            traceback.print_exc()
            # An error on a GPU may leave all of the process unable to use it.
            spoiled = torch.cuda.is_initialized()
        if error:
            print(error)
    _keep(folder, said.getvalue())
    return Result(name, time.perf_counter() - started, error and " ".join(error.split()), spoiled)


@contextmanager
def _held_at_last(folder: Path) -> Iterator[None]:
    """`held`, but waits a while for a worker of a campaign that was killed; InUseError if it does not go."""
    waited_until = time.monotonic() + _PATIENCE
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(held(folder))
                break
            except InUseError:
                if time.monotonic() > waited_until:
                    raise
                time.sleep(0.1)
        yield


def _keep(folder: Path, text: str) -> None:
    """What a cell said, in its folder, in place of what it said before; a full disk does not keep it."""
    with suppress(OSError):
        if text:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / MESSAGES, text)
        else:
            (folder / MESSAGES).unlink(missing_ok=True)

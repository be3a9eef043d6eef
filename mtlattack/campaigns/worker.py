"""A worker: takes one cell after the other and makes of each the folder that `mtlattack run` would."""

import io
import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import torch

from mtlattack.campaigns.cells import Cell
from mtlattack.campaigns.engine import Circumstances, Result
from mtlattack.campaigns.stock import Stock
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate
from mtlattack.files import write_whole
from mtlattack.locking import InUseError, held

MESSAGES = "messages.txt"
"""File in a cell's folder: warnings, and the whole text of what went wrong."""

# A worker whose campaign was killed lets go of its cell within this time.
_PATIENCE = 20.0


class Worker:
    """Runs cells in this process, which it makes its own: folder, command and threads."""

    def __init__(self, circumstances: Circumstances) -> None:
        os.chdir(circumstances.folder)
        sys.argv = list(circumstances.command)
        torch.set_num_threads(circumstances.threads)
        self._out = Path(circumstances.out)
        self._stock = Stock()

    def run(self, cell: Cell) -> Result:
        """Run a cell, or go on with it; whatever goes wrong is in the result and in its folder, and nothing raised."""
        started, said, folder = time.perf_counter(), io.StringIO(), self._out / cell.name
        error, spoiled = None, False
        with redirect_stdout(said), redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("default")  # of each cell, not of each worker
            try:
                self._run(cell, folder)
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
        return Result(cell.name, time.perf_counter() - started, error and " ".join(error.split()), spoiled)

    def ready(self) -> bool:
        """Whether it can take a cell: it can."""
        return True

    def _run(self, cell: Cell, folder: Path) -> None:
        chosen = cell.choose(self._stock.model, self._stock.images)
        with _held_at_last(folder):
            finished = evaluate(
                chosen.model,
                chosen.images,
                chosen.attacks,
                fit_data=chosen.fit_images,
                path=folder / "evidence.h5",
                name=chosen.name,
                suite=chosen.reference,
                precision=cell.precision,  # type: ignore[arg-type]
                cuda_graphs=cell.cuda_graphs,
                batch_size=chosen.suite.batch_size,
                device=cell.device,
                seed=chosen.suite.seed,
            )
            write_whole(folder / "record.json", finished.report().record.model_dump_json(indent=1) + "\n")


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

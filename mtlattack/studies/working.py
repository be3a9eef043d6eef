"""A worker that measures cells of studies, and an engine for one in this process."""

import time

import torch

from mtlattack.campaigns.engine import Circumstances, Lost, Result
from mtlattack.campaigns.guarding import guarded, settle
from mtlattack.studies.catalogue import find_study
from mtlattack.studies.folder import keep_result
from mtlattack.studies.study import Cell


class StudyWorker:
    """Measures cells in this process, which it makes its own: folder, command and threads."""

    def __init__(self, circumstances: Circumstances) -> None:
        self._out = settle(circumstances)

    def run(self, cell: Cell) -> Result:
        """Measure a cell and keep its numbers; whatever goes wrong is in the result and in its folder."""
        folder = self._out / cell.name

        def work() -> None:
            started = time.perf_counter()
            numbers = find_study(cell.study).measure(cell.settings, folder)
            keep_result(folder, cell, time.perf_counter() - started, numbers)

        return guarded(cell.name, folder, work)

    def ready(self) -> bool:
        """Whether it can take a cell: it can."""
        return True


class Alone:
    """An engine of this process alone, which works while it is waited for; its threads are as before afterwards."""

    def __init__(self, circumstances: Circumstances) -> None:
        self._threads = torch.get_num_threads()
        self._worker = StudyWorker(circumstances)
        self._cell: Cell | None = None

    def free(self) -> int:
        """One, unless it has a cell."""
        return int(self._cell is None)

    def start(self, cell: Cell) -> None:
        """Take a cell."""
        self._cell = cell

    def wait(self) -> list[Result | Lost]:
        """Measure it."""
        cell, self._cell = self._cell, None
        return [] if cell is None else [self._worker.run(cell)]

    def close(self) -> None:
        """Give the process back."""
        torch.set_num_threads(self._threads)

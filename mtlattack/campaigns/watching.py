"""What a campaign shows while it runs: which cells are running, what failed, and how much is left."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.text import Text

from mtlattack.campaigns.engine import Job, Lost, Result
from mtlattack.printing import Grid
from mtlattack.progress import Bar, progress_board
from mtlattack.wording import counted

# So many lines of what is running, and of what went wrong.
_RUNNING = 16
_TROUBLE = 5


class Board:
    """The last troubles and a table of the running cells above one bar for the whole, moved by the work of a cell."""

    def __init__(self, cells: int, work: Mapping[str, float]) -> None:
        self._cells, self._work = cells, work
        self._done, self._failed = cells - len(work), 0
        self._running: dict[str, float] = {}
        self._trouble: list[tuple[str, str]] = []
        self.bar: Bar | None = None

    def started(self, cell: Job) -> None:
        """A worker has the cell."""
        self._running[cell.name] = time.monotonic()

    def ended(self, result: Result) -> None:
        """The cell is finished, or has failed."""
        self._running.pop(result.name, None)
        self._failed += result.error is not None
        self._done += result.error is None
        if result.error is not None:
            self._trouble.append((result.name, f"failed: {result.error}"))
        if self.bar is not None:
            self.bar.describe(self.counts())
            self.bar.advance(self._work[result.name])

    def lost(self, lost: Lost) -> None:
        """The cell's worker is gone; it will start again."""
        self._running.pop(lost.name, None)
        self._trouble.append((lost.name, f"again: {lost.why}"))

    def counts(self) -> str:
        """How many cells are done, of how many."""
        return f"{self._done} of {counted(self._cells, 'cell')}" + (f", {self._failed} failed" if self._failed else "")

    def table(self) -> RenderableType:
        """The last troubles, and the running cells, each with its seconds so far."""
        troubles = [Text(f"{name} {what}", style="red") for name, what in self._trouble[-_TROUBLE:]]
        table = Grid()
        table.add_column("cell")
        table.add_column("s", "right")
        now = time.monotonic()
        for name, began in list(self._running.items())[:_RUNNING]:
            table.add_row(name, f"{now - began:.0f}")
        if len(self._running) > _RUNNING:
            table.add_row(f"… and {len(self._running) - _RUNNING} more", "")
        return Group(*troubles, *([table] if self._running else []))


@contextmanager
def watching(cells: int, work: Mapping[str, float]) -> Iterator[Board]:
    """A board for a campaign of so many cells, of which those in `work` are left; silent where there is no terminal."""
    board = Board(cells, work)
    with progress_board(board.table, board.counts(), sum(work.values())) as bar:
        board.bar = bar
        yield board

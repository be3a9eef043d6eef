"""One queue of cells for all workers: the longest first, those of lost workers again."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from mtlattack.campaigns.engine import Engine, J, Job, Lost, Result
from mtlattack.wording import counted


class Watcher(Protocol):
    """Is told what happens."""

    def started(self, cell: Job) -> None:
        """A worker has the cell."""

    def ended(self, result: Result) -> None:
        """The cell is finished, or has failed."""

    def lost(self, lost: Lost) -> None:
        """The cell's worker is gone; it will start again."""


def longest_first(cells: Sequence[J], work: Mapping[str, float]) -> list[J]:
    """The order that keeps workers busy to the end; of equal cells those of one model stay together."""
    return sorted(cells, key=lambda cell: -work[cell.name])


def work_off(engine: Engine[J], cells: Sequence[J], retries: int, watcher: Watcher) -> list[Result]:
    """Give all cells to workers, in this order, and return what became of them, in the order in which they ended.

    A cell whose worker is lost comes first again, up to `retries` times; then it has failed.
    """
    waiting, running = deque(cells), dict[str, J]()
    losses: Counter[str] = Counter()
    results: list[Result] = []

    def end(result: Result) -> None:
        results.append(result)
        watcher.ended(result)

    while waiting or running:
        while waiting and engine.free():
            cell = waiting.popleft()
            running[cell.name] = cell
            engine.start(cell)
            watcher.started(cell)
        for outcome in engine.wait():
            cell = running.pop(outcome.name)
            if isinstance(outcome, Result):
                end(outcome)
                continue
            losses[cell.name] += 1
            if losses[cell.name] <= retries:
                watcher.lost(outcome)
                waiting.appendleft(cell)
            else:
                times = counted(losses[cell.name], "time")
                end(Result(cell.name, 0.0, f"its worker was lost {times}, last: {outcome.why}"))
    return results

"""The queue, with machines that are made up: every cell ends once, whatever is lost."""

import heapq
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlattack.campaigns.cells import Cell
from mtlattack.campaigns.engine import Lost, Result
from mtlattack.campaigns.queue import longest_first, work_off


def cells(count: int) -> list[Cell]:
    return [Cell(str(i), "s", None, None, None, {}, "float32", False, None) for i in range(count)]


class Imagined:
    """Workers in a time of their own; cell i takes `seconds[i]`, and its worker is lost `losses[i]` times before."""

    def __init__(self, workers: int, seconds: list[float], losses: list[int]) -> None:
        self.now, self._free, self._seconds = 0.0, workers, seconds
        self._losses, self._running, self.started = list(losses), list[tuple[float, str]](), list[str]()

    def free(self) -> int:
        return self._free

    def start(self, cell: Cell) -> None:
        assert self._free > 0
        self._free -= 1
        self.started.append(cell.name)
        heapq.heappush(self._running, (self.now + self._seconds[int(cell.name)], cell.name))

    def wait(self) -> list[Result | Lost]:
        self.now, name = heapq.heappop(self._running)
        self._free += 1
        self._losses[int(name)] -= 1
        return [Lost(name, "gone") if self._losses[int(name)] >= 0 else Result(name, self._seconds[int(name)])]

    def close(self) -> None:
        pass


class Notes:
    def __init__(self) -> None:
        self.running, self.seen = Counter[str](), Counter[str]()

    def started(self, cell: Cell) -> None:
        self.running[cell.name] += 1
        self.seen["started"] += 1

    def ended(self, result: Result) -> None:
        self.running[result.name] -= 1
        self.seen["failed" if result.error else "done"] += 1

    def lost(self, lost: Lost) -> None:
        self.running[lost.name] -= 1
        self.seen["lost"] += 1


@given(
    workers=st.integers(1, 5),
    work=st.lists(st.tuples(st.floats(0.01, 10), st.integers(0, 4)), max_size=12),
    retries=st.integers(0, 3),
)
def test_every_cell_ends_once_and_no_worker_idles(workers: int, work: list[tuple[float, int]], retries: int) -> None:
    seconds, losses = [s for s, _ in work], [n for _, n in work]
    engine, notes = Imagined(workers, seconds, losses), Notes()
    results = work_off(engine, cells(len(work)), retries, notes)
    assert sorted(int(result.name) for result in results) == list(range(len(work)))
    failed = {int(result.name) for result in results if result.error}
    assert failed == {i for i, n in enumerate(losses) if n > retries}
    attempts = [min(n, retries) + 1 for n in losses]
    assert Counter(map(int, engine.started)) == {i: n for i, n in enumerate(attempts)}
    assert not +notes.running and notes.seen["failed"] == len(failed)
    spent = sum(s * n for s, n in zip(seconds, attempts, strict=True))
    longest = max((s * n for s, n in zip(seconds, attempts, strict=True)), default=0)
    assert engine.now <= spent / workers + longest + 1e-6  # Graham's bound for any list schedule


def test_a_lost_cell_is_next_and_says_at_last_why() -> None:
    engine = Imagined(1, [1.0, 1.0, 1.0], [0, 9, 0])
    results = work_off(engine, cells(3), 2, Notes())
    assert engine.started == ["0", "1", "1", "1", "2"]
    assert results[1].error == "its worker was lost 3 times, last: gone"


def test_longest_first_keeps_equal_ones_in_order() -> None:
    work = {"0": 1.0, "1": 3.0, "2": 1.0, "3": 3.0}
    assert [cell.name for cell in longest_first(cells(4), work)] == ["1", "3", "0", "2"]


@pytest.mark.parametrize("workers", [2, 8])
def test_longest_first_is_near_the_bound(workers: int) -> None:
    seconds = [float(1 + i % 7) for i in range(80)]
    engine = Imagined(workers, seconds, [0] * 80)
    order = longest_first(cells(80), {str(i): s for i, s in enumerate(seconds)})
    work_off(engine, order, 0, Notes())
    assert sum(seconds) / workers <= engine.now <= 1.05 * sum(seconds) / workers

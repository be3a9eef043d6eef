"""Many inputs in a few processes, which live on from one input to the next: what dies or waits is replaced."""

import gc
import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from inputs import Input
from judging import FINDS, STACK, WHERE, Judged, Seed, judge_all

# By the clock, on a machine that may be busy.
MOST_WAITED = 60.0
Named = tuple[str, int]


@dataclass
class _Worker:
    """A process, its seeds, how many of these it has done, and what it is at since when."""

    process: multiprocessing.process.BaseProcess
    seeds: list[Seed]
    folder: Path
    done: int = 0
    at: Named | None = None
    since: float = 0.0
    is_over: bool = False


class Workers:
    """Processes that judge inputs, each in a folder of its own below `folder`."""

    def __init__(self, kinds: list[Input], folder: Path) -> None:
        self.kinds, self.folder = kinds, folder
        self._made = 0

    def judge(self, seeds: list[Seed], processes: int) -> Iterator[tuple[str, int, Judged, Judged | None]]:
        """Kind, seed and what came of every input; of a find also what comes of it when it is read alone."""
        for name, seed, judged in self._in_turns([seeds[start::processes] for start in range(processes)]):
            again = None
            if judged.outcome in FINDS:
                place = next(place for place, kind in enumerate(self.kinds) if kind.name == name)
                [(_, _, again)] = self._in_turns([[(place, seed)]])
            yield name, seed, judged, again

    def _in_turns(self, parts: list[list[Seed]]) -> Iterator[tuple[str, int, Judged]]:
        workers = dict(self._start(part) for part in parts if part)
        try:
            while workers:
                ready = wait(list(workers), timeout=1)
                for pipe, worker in list(workers.items()):
                    said = self._heard(pipe, worker) if pipe in ready else self._waited(worker)
                    if said is not None:
                        yield said
                    if worker.is_over:
                        del workers[pipe]
                        if worker.done < len(worker.seeds):
                            pipe, worker = self._start(worker.seeds[worker.done :])
                            workers[pipe] = worker
        finally:
            for worker in workers.values():
                worker.process.kill()
                worker.process.join()

    def _start(self, seeds: list[Seed]) -> tuple[Connection, _Worker]:
        forking = multiprocessing.get_context("fork")
        gc.freeze()  # What the process has from here it need not look through.
        ours, theirs = forking.Pipe(duplex=False)
        self._made += 1
        folder = self.folder / f"worker-{self._made}"
        process = forking.Process(target=judge_all, args=(self.kinds, seeds, folder, theirs))
        process.start()
        theirs.close()
        return ours, _Worker(process, seeds, folder, since=time.monotonic())

    def _heard(self, pipe: Connection, worker: _Worker) -> tuple[str, int, Judged] | None:
        """What a process says came of an input, also by its end; None where it says what it begins with."""
        try:
            said = pipe.recv()
        except EOFError:
            worker.process.join()
            worker.is_over = True
            code = worker.process.exitcode
            if worker.at is not None:
                return self._ended(worker, Judged("died", f"exit code {code}"))
            if worker.done < len(worker.seeds):
                raise SystemExit(f"a process ended with {code} before its first input") from None
            return None
        worker.since = time.monotonic()
        if isinstance(said, Judged):
            return self._ended(worker, said)
        worker.at = said
        return None

    def _waited(self, worker: _Worker) -> tuple[str, int, Judged] | None:
        """Ends a process that has been at an input too long."""
        if time.monotonic() - worker.since < MOST_WAITED or worker.at is None:
            return None
        assert worker.process.pid is not None
        os.kill(worker.process.pid, WHERE)
        time.sleep(1)
        worker.process.kill()
        worker.process.join()
        worker.is_over = True
        stack = (worker.folder / STACK).read_text().splitlines()
        where = "; ".join(line.strip() for line in stack if "File" in line)[:600]
        return self._ended(worker, Judged("slow", f"killed after {MOST_WAITED:.0f} s: {where}", MOST_WAITED))

    @staticmethod
    def _ended(worker: _Worker, judged: Judged) -> tuple[str, int, Judged]:
        assert worker.at is not None
        name, seed = worker.at
        worker.at, worker.done = None, worker.done + 1
        return name, seed, judged

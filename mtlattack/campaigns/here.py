"""Workers on this machine: processes that are forked from one that has imported everything, or spawned."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_all_start_methods, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Generic

from mtlattack.campaigns.engine import Circumstances, J, Lost, Result, Runs
from mtlattack.campaigns.worker import Worker
from mtlattack.errors import InputError
from mtlattack.interrupts import held_back, leave_to_parent
from mtlattack.wording import counted

_METHOD = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"


@dataclass
class _Slot:
    """A place for a worker; `gpus` is what it sees of them (None: leave it as it is)."""

    gpus: str | None
    process: BaseProcess | None = None
    pipe: Connection | None = None
    cell: str | None = None


class Here(Generic[J]):
    """An engine of so many processes of a `kind`; each takes a share of one of `gpus`, those that are visible here."""

    def __init__(
        self,
        workers: int,
        circumstances: Circumstances,
        gpus_per_cell: float = 0,
        gpus: Sequence[str] = (),
        kind: Callable[[Circumstances], Runs[J]] = Worker,  # type: ignore[assignment]
    ) -> None:
        if gpus_per_cell and workers > (most := most_cells(gpus_per_cell, len(gpus))):
            raise InputError(
                f"{counted(workers, 'worker')} at {gpus_per_cell:g} GPU a cell, of which {len(gpus)} are here; "
                f"expected at most {counted(most, 'worker')}"
            )
        self._circumstances, self._kind = circumstances, kind
        self._context = get_context(_METHOD)
        if _METHOD == "forkserver":
            self._context.set_forkserver_preload([Worker.__module__])
        self._slots = [_Slot(_share(i, gpus_per_cell, gpus)) for i in range(workers)]

    def free(self) -> int:
        """How many workers have no cell."""
        return sum(slot.cell is None for slot in self._slots)

    def start(self, cell: J) -> None:
        """Give a cell to a free worker, which is begun if there is none yet."""
        slot = next(slot for slot in self._slots if slot.cell is None)
        if slot.process is None or not slot.process.is_alive():
            self._begin(slot)
        slot.cell = cell.name
        try:
            assert slot.pipe is not None
            slot.pipe.send(cell)
        except OSError:  # it died this moment: waiting for it will say so
            pass

    def wait(self) -> list[Result | Lost]:
        """What has ended, after waiting a second at most for something to."""
        busy = {slot.pipe: slot for slot in self._slots if slot.cell is not None and slot.pipe is not None}
        ready = connection.wait(list(busy), timeout=1)
        return [self._ended(busy[pipe]) for pipe in ready]  # type: ignore[index]

    def close(self) -> None:
        """Kill all workers: evidence bears it at any moment."""
        for slot in self._slots:
            self._end(slot)

    def _begin(self, slot: _Slot) -> None:
        self._end(slot)
        slot.pipe, theirs = self._context.Pipe()
        arguments = (theirs, self._kind, self._circumstances, slot.gpus)
        slot.process = self._context.Process(target=_serve, args=arguments, daemon=True)  # type: ignore[attr-defined]
        with held_back():  # of a worker, and of the process that workers are forked from
            slot.process.start()
        theirs.close()  # so that the pipe ends with the worker

    def _ended(self, slot: _Slot) -> Result | Lost:
        assert slot.process is not None and slot.pipe is not None and slot.cell is not None
        name, slot.cell = slot.cell, None
        try:
            result: Result = slot.pipe.recv()
        except (EOFError, OSError):
            slot.process.join()
            why = _last_words(slot.process.exitcode)
            self._end(slot)
            return Lost(name, why)
        if result.spoiled:
            self._end(slot)
        return result

    def _end(self, slot: _Slot) -> None:
        if slot.process is not None and slot.pipe is not None:
            slot.pipe.close()
            slot.process.kill()
            slot.process.join()
        slot.process = slot.pipe = None


def visible_gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES would call the GPUs that this process sees."""
    import torch

    count, named = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",")[:count] if named else [str(index) for index in range(count)]


def most_cells(gpus_per_cell: float, gpus: int) -> int:
    """How many cells may be on so many GPUs at a time; no cell is on two."""
    return int(1 / gpus_per_cell + 1e-9) * gpus


def _share(index: int, gpus_per_cell: float, gpus: Sequence[str]) -> str | None:
    """The GPU of a worker, `""` for a cell that takes none; None where there are none to hide."""
    if not gpus:
        return None
    return gpus[index // most_cells(gpus_per_cell, 1)] if gpus_per_cell else ""


def _serve(
    pipe: Connection, kind: Callable[[Circumstances], Runs[J]], circumstances: Circumstances, gpus: str | None
) -> None:
    """The life of a worker process: until the campaign closes the pipe, or dies."""
    leave_to_parent()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    worker = kind(circumstances)
    while True:
        try:
            cell = pipe.recv()
        except EOFError:
            return
        pipe.send(worker.run(cell))


def _die_with_parent() -> None:
    """A worker that nobody waits for must not hold its cell against a campaign that goes on with it."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _last_words(code: int | None) -> str:
    if code is not None and code < 0:
        known = {each.value: each.name for each in signal.Signals}
        name = known.get(-code, f"signal {-code}")
        return f"killed by {name}" + (" (was there enough memory?)" if name == "SIGKILL" else "")
    return f"ended with exit code {code}"

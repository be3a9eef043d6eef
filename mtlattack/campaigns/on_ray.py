"""Workers on a Ray cluster: one that runs already, or one that is started on this machine for the campaign."""

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

from mtlattack.campaigns.engine import Circumstances, J, Lost, Result, Runs
from mtlattack.campaigns.worker import Worker
from mtlattack.errors import InputError, one_line
from mtlattack.wording import counted

# An address must answer within so many seconds; a cluster must find room for a first worker within so many.
_ANSWER = 15
_ROOM = 300.0
# So many workers in a row that do not even start are no accident.
_FALSE_STARTS = 5
_OBJECT_STORE = 100 * 2**20  # cells send a few hundred bytes


@dataclass
class _Slot:
    """A place for a worker: what it is at, its `start` or a `cell`."""

    actor: Any
    busy: Any
    cell: str | None = None


class OnRay(Generic[J]):
    """An engine of so many actors of a `kind`, by default as many as the cluster has room for and at most as there are
    cells, each with the CPUs and the share of a GPU of a cell. One that is lost, with its node or alone, is begun anew
    wherever there is room."""

    def __init__(
        self,
        workers: int | None,
        circumstances: Circumstances,
        gpus_per_cell: float | None,
        address: str | None,
        cells: int,
        kind: Callable[[Circumstances], Runs[J]] = Worker,  # type: ignore[assignment]
    ) -> None:
        self._ray = _import_ray()
        self._connect(workers, circumstances.threads, address)
        try:
            nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            if gpus_per_cell is None:
                gpus_per_cell = 1 if any(node.get("GPU") for node in nodes) else 0
            room = sum(_room(node, circumstances.threads, gpus_per_cell) for node in nodes)
            gpus = f" and {gpus_per_cell:g} GPU" if gpus_per_cell else ""
            self._needs = counted(circumstances.threads, "CPU") + gpus
            if not room:
                raise InputError(f"no node of the Ray cluster has {self._needs} for a cell")
            actor = self._ray.remote(num_cpus=circumstances.threads, num_gpus=gpus_per_cell, max_restarts=0)(kind)
            self._begin = lambda: actor.remote(circumstances)
            self._false_starts, self._idle_since = 0, time.monotonic()
            self._slots = [self._slot() for _ in range(min(workers or room, cells))]
        except BaseException:
            self._ray.shutdown()
            raise

    def free(self) -> int:
        """How many workers are up and have no cell."""
        return sum(slot.busy is None for slot in self._slots)

    def start(self, cell: J) -> None:
        """Give a cell to a free worker."""
        slot = next(slot for slot in self._slots if slot.busy is None)
        slot.cell, slot.busy = cell.name, slot.actor.run.remote(cell)

    def wait(self) -> list[Result | Lost]:
        """What has ended, after waiting a second at most for something to.

        InputError if workers do not start, or the cluster has no room for any for minutes.
        """
        busy = {slot.busy: slot for slot in self._slots if slot.busy is not None}
        ready, _ = self._ray.wait(list(busy), num_returns=1, timeout=1)
        if ready:  # and whatever else is by now
            ready, _ = self._ray.wait(list(busy), num_returns=len(busy), timeout=0)
        ended = [outcome for ref in ready if (outcome := self._ended(busy[ref])) is not None]
        if any(slot.cell is not None or slot.busy is None for slot in self._slots):
            self._idle_since = time.monotonic()
        elif time.monotonic() - self._idle_since > _ROOM:
            raise InputError(f"the Ray cluster had no room for a worker ({self._needs}) for {_ROOM:.0f} s")
        return ended

    def close(self) -> None:
        """End all workers, and the cluster if it was started for them."""
        self._ray.shutdown()

    def _connect(self, workers: int | None, threads: int, address: str | None) -> None:
        quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        try:
            if address is None:
                os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
                cpus = max(os.cpu_count() or 1, (workers or 1) * threads)
                self._ray.init(
                    address="local", num_cpus=cpus, include_dashboard=False, object_store_memory=_OBJECT_STORE, **quiet
                )
            else:
                if address != "auto":
                    _check_answers(address)
                self._ray.init(address=address, **quiet)
        except InputError:
            raise
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = "start here" if address is None else f"be reached at {address!r}"
            raise InputError(f"Ray cannot {where}: {error}") from None

    def _slot(self) -> _Slot:
        actor = self._begin()
        return _Slot(actor, actor.ready.remote())

    def _ended(self, slot: _Slot) -> Result | Lost | None:
        """What a worker has ended; None if it was its start. A lost worker is begun anew in its place."""
        name = slot.cell
        try:
            outcome = self._ray.get(slot.busy)
        except self._ray.exceptions.RayError as error:
            why = next(iter(str(error).strip().splitlines()), type(error).__name__)
            self._renew(slot)
            if name is not None:
                return Lost(name, why)
            self._false_starts += 1
            if self._false_starts >= _FALSE_STARTS:
                raise InputError(f"workers do not start on the Ray cluster: {one_line(error)}") from None
            return None
        self._false_starts = 0
        slot.cell = slot.busy = None
        if name is not None and outcome.spoiled:
            self._ray.kill(slot.actor)
            self._renew(slot)
        return None if name is None else outcome

    def _renew(self, slot: _Slot) -> None:
        fresh = self._slot()
        slot.actor, slot.busy, slot.cell = fresh.actor, fresh.busy, None


def _import_ray() -> Any:
    # Before it is imported, or the warnings of its core are on the terminal.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise InputError("Ray is not installed: pip install mtlattack[ray]") from None
    return ray


def _check_answers(address: str) -> None:
    """InputError unless a Ray cluster answers at `address` in time; Ray itself would try for two minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise InputError(f"address {address!r}, expected HOST:PORT as `ray start --head` prints it, or auto")
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER).close()
        command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
        healthy = subprocess.run(command, capture_output=True, timeout=_ANSWER).returncode == 0
    except (OSError, OverflowError) as error:
        raise InputError(f"no Ray cluster answers at {address!r} ({error})") from None
    except subprocess.TimeoutExpired:
        healthy = False
    if not healthy:
        raise InputError(f"no Ray cluster answers at {address!r}: what is there is none, or of another version of Ray")


def _room(resources: dict[str, float], threads: int, gpus_per_cell: float) -> int:
    """How many cells a node has room for."""
    cells = int(resources.get("CPU", 0) // threads)
    if gpus_per_cell:
        cells = min(cells, int(1 / gpus_per_cell + 1e-9) * int(resources.get("GPU", 0)))
    return cells

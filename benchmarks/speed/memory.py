"""Peak memory of one piece of work, in a fresh process, above what stays when it is done.

The work runs once to load code and fill caches; then the high-water mark is reset and it runs again. On the CPU that is
the kernel's mark of the resident set (`VmHWM`), for it also sees what oneDNN allocates behind torch's back; glibc is
told to map every large block, so that a freed tensor leaves the resident set at once and the peak is what is alive.
(`ru_maxrss` will not do: a process inherits its parent's.) On CUDA it is the mark of torch's own allocator.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from timing import synchronise
from workload import Case, Workload

from mtlattack.errors import InputError

FLOOR, KEEPING, ATTACK, ATTACK16 = "floor", "floor keeping all", "apgd-dgba", "apgd-dgba bf16"
T_BACKWARD = "T-backward"
# As few steps as show the peak: APGD holds the most once it has a best point and a point before this one.
WORKS: dict[str, Callable[[Workload], Callable[[], object]]] = {
    FLOOR: lambda workload: workload.floor(workload.prepared, 1),
    KEEPING: lambda workload: workload.floor_keeping_all(1),
    ATTACK: lambda workload: workload.attack("apgd-dgba", workload.prepared, 3),
    ATTACK16: lambda workload: workload.attack("apgd-dgba", workload.prepared, 3, workload.search),
    T_BACKWARD: lambda workload: workload.t_backward(1),
}

_RESET = Path("/proc/self/clear_refs")
# Blocks of so many bytes and more are mapped, never taken from a heap that stays resident; by itself glibc adapts.
_MAPPED = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_MMAP_MAX_": "1000000"}


def check_available(device: torch.device) -> None:
    """InputError where peak memory cannot be measured."""
    if device.type != "cuda" and not (device.type == "cpu" and os.access(_RESET, os.W_OK)):
        raise InputError(f"peak memory on {device.type} is measured on Linux with /proc only: add --no-memory")


def peak_bytes(case: Case, work: str) -> int:
    """Peak bytes of one of `WORKS` above model and batch."""
    command = [sys.executable, __file__, json.dumps(case.config()), work]
    process = subprocess.run(command, env=os.environ | _MAPPED, stdout=subprocess.PIPE, text=True, check=True)
    return int(process.stdout)


def _measure(case: Case, name: str) -> int:
    workload = Workload(case)
    work = WORKS[name](workload)
    work()
    synchronise(workload.device)
    before = _reset_peak(workload.device)
    work()
    synchronise(workload.device)
    return _peak(workload.device) - before


def _reset_peak(device: torch.device) -> int:
    """Bytes held now; from here on the peak counts anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    _RESET.write_text("5")
    return _status("VmRSS")


def _peak(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _status("VmHWM")


def _status(field: str) -> int:
    """A size from the kernel's table of this process, which is in KiB."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(lines[field].split()[0])


if __name__ == "__main__":
    print(_measure(Case(**json.loads(sys.argv[1])), sys.argv[2]))

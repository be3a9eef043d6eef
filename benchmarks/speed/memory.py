"""Peak memory of one piece of work, in a fresh process, above what model and batch hold.

On the CPU: the resident-set peak (`ru_maxrss`), because it also sees what oneDNN allocates behind torch's back, with
glibc told to map every large block, so that a freed tensor leaves the resident set at once and the peak is what is alive.
On CUDA: the peak of torch's own allocator.
"""

import json
import os
import resource
import subprocess
import sys

import torch
from workload import Case, Workload

# Blocks of this many bytes and more are mapped, never taken from a heap that stays resident; glibc's own threshold drifts.
_MAPPED = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_MMAP_MAX_": "1000000"}
_CORNER = 32  # pixels: enough for every stage of a stride-32 backbone


def peak_bytes(case: Case, work: str) -> int:
    """Peak bytes of `work` (`floor`, or the name of an attack) above the baseline."""
    command = [sys.executable, __file__, json.dumps(case.config()), work]
    process = subprocess.run(command, env=os.environ | _MAPPED, stdout=subprocess.PIPE, text=True, check=True)
    return int(process.stdout)


def _measure(case: Case, work: str) -> int:
    workload = Workload(case)
    _do(workload.corner(_CORNER), work)  # Loads code and starts threads, which is no cost of the work.
    workload.synchronise()
    before = _peak(workload.device, start=True)
    _do(workload, work)
    workload.synchronise()
    return _peak(workload.device) - before


def _do(workload: Workload, work: str) -> None:
    if work == "floor":
        workload.forward_backward()
        workload.forward_backward()
    else:
        workload.run_attack(workload.attack(work))


def _peak(device: torch.device, start: bool = False) -> int:
    if device.type == "cuda":
        if start:
            torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    print(_measure(Case(**json.loads(sys.argv[1])), sys.argv[2]))

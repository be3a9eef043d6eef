"""Which devices there are, and what memory they have left."""

import gc
from contextlib import suppress
from pathlib import Path

import torch

from mtlattack.errors import InputError

# How torch and the libraries below it say so: CUDA's allocator, MPS's, the CPU's, cuBLAS and cuDNN, of which torch
# says that no engine was found where none had room to work in.
_NO_MEMORY = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "MPS backend out of memory",
    "can't allocate memory",
    "CUDA driver error: out of memory",
    "_STATUS_ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "was unable to find an engine to execute this computation",
)


def choose_device(name: str | None = None) -> torch.device:
    """The device called `name` if it is here, by default the best there is: CUDA, MPS, CPU."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name is None:
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"unknown device {name!r}; here: {_present(available)}") from None
    if not available.get(device.type, False) or (device.index or 0) >= max(1, torch.cuda.device_count()):
        raise InputError(f"device {name!r} is not here; here: {_present(available)}")
    return device


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies matrices in bfloat16 by itself: a CPU with AMX, a CUDA device since Ampere."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", None)  # torch has no public name for it
    return device.type == "cpu" and has_amx is not None and bool(has_amx())


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that the device has no memory left; only CUDA has a class of its own for it."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(phrase in str(error) for phrase in _NO_MEMORY)


def memory_at_hand(device: torch.device) -> int:
    """Bytes that could be taken on a device now: what is free, and what torch holds there without using it."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return min(_available(), _left_to_us())


def _available() -> int:
    """Of the machine; where it does not say, as if it had 1 GiB."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 2**30


def _left_to_us() -> int:
    """Of what a container may take; all there is elsewhere."""
    folder = Path("/sys/fs/cgroup")
    try:
        return int((folder / "memory.max").read_text()) - int((folder / "memory.current").read_text())
    except (OSError, ValueError):
        return 2**63


def release_memory(device: torch.device) -> None:
    """Hand what nobody uses any longer back to a CUDA device; torch keeps it for itself otherwise."""
    if device.type == "cuda":
        gc.collect()  # What a CUDA graph held lies in cycles.
        with suppress(RuntimeError):  # torches before 2.13, once a recording has failed: it keeps what it has
            torch.cuda.empty_cache()


def _present(available: dict[str, bool]) -> str:
    return ", ".join(kind for kind, here in available.items() if here)

"""Which devices there are, and what memory they have left."""

import gc

import torch

from mtlattack.errors import InputError

# How torch and the libraries below it say so: CUDA's allocator, MPS's, the CPU's, cuDNN and cuBLAS.
_NO_MEMORY = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "MPS backend out of memory",
    "can't allocate memory",
    "_STATUS_ALLOC_FAILED",
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


def release_memory(device: torch.device) -> None:
    """Hand what nobody uses any longer back to a CUDA device; torch keeps it for itself otherwise."""
    if device.type == "cuda":
        gc.collect()  # What a CUDA graph held lies in cycles.
        torch.cuda.empty_cache()


def _present(available: dict[str, bool]) -> str:
    return ", ".join(kind for kind, here in available.items() if here)

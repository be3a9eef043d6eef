"""Which devices there are."""

import torch

from mtlattack.errors import InputError


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


def _present(available: dict[str, bool]) -> str:
    return ", ".join(kind for kind, here in available.items() if here)

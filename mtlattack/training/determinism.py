"""The same weights from the same seed on CUDA too, as far as its kernels go."""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

# Without it cuBLAS may add in another order at every call. It is read when a device is first used.
_CUBLAS, _FIXED = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
_NOT_DETERMINISTIC = re.compile(r"^(\S+) does not have a deterministic implementation")


@contextmanager
def deterministic(device: torch.device, found: list[str]) -> Iterator[None]:
    """Inside, torch takes deterministic kernels on a CUDA device; afterwards its settings are what they were.

    An operation that has none runs all the same, and its name is added once to `found`. Elsewhere nothing changes: a
    CPU adds in one order anyway.
    """
    if device.type != "cuda":
        yield
        return
    cudnn, workspace = torch.backends.cudnn, os.environ.get(_CUBLAS)
    were = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    kernels = cudnn.benchmark, cudnn.deterministic
    memory: Any = torch.utils.deterministic  # Its type says nothing of this property.
    filling = memory.fill_uninitialized_memory
    try:
        os.environ.setdefault(_CUBLAS, _FIXED)
        torch.use_deterministic_algorithms(True, warn_only=True)
        memory.fill_uninitialized_memory = False  # Nothing of ours reads what it has not written.
        cudnn.benchmark, cudnn.deterministic = False, True
        with _collecting(found):
            yield
    finally:
        cudnn.benchmark, cudnn.deterministic = kernels
        memory.fill_uninitialized_memory = filling
        torch.use_deterministic_algorithms(were[0], warn_only=were[1])
        if workspace is None:
            del os.environ[_CUBLAS]


@contextmanager
def _collecting(found: list[str]) -> Iterator[None]:
    """What torch says of operations goes into `found`; other warnings go where they went."""
    with warnings.catch_warnings():
        warnings.filterwarnings("always", message=r"\S+ does not have a deterministic implementation")
        show = warnings.showwarning

        def collect(message: Warning | str, *rest: Any, **options: Any) -> None:
            said = _NOT_DETERMINISTIC.match(str(message))
            if said is None:
                show(message, *rest, **options)
            elif said[1] not in found:
                found.append(said[1])

        warnings.showwarning = collect
        yield

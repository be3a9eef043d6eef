"""TensorFloat-32, in which CUDA may multiply float32: whether it may, and a while without.

torch has two sets of names for it and refuses to read the older where the newer (`fp32_precision`, since 2.9) was used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def allows_tf32() -> bool:
    """Whether convolutions or products of matrices in float32 may be multiplied in TF32 on a CUDA device."""
    newer = _newer()
    if newer:
        return any(kind.fp32_precision == "tf32" for kind in newer)
    return bool(torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32)


@contextmanager
def without_tf32() -> Iterator[None]:
    """Inside, neither are; afterwards torch's settings are what they were."""
    try:
        # After the newer names a model, or torch itself, could not read the older inside.
        setting = _without(torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision())
    except RuntimeError:  # set by the newer
        setting = _without_newer()
    with setting:
        yield


@contextmanager
def _without(convolutions: bool, products: str) -> Iterator[None]:
    """By the older names; what is off already stays untouched, so that it goes on to follow what the newer set."""
    try:
        if convolutions:
            torch.backends.cudnn.allow_tf32 = False
        if products != "highest":
            torch.set_float32_matmul_precision("highest")
        yield
    finally:
        if convolutions:
            torch.backends.cudnn.allow_tf32 = True
        if products != "highest":
            torch.set_float32_matmul_precision(products)


@contextmanager
def _without_newer() -> Iterator[None]:
    # A kind of operation that has its setting from the one above it is to go on to follow that.
    above = torch.backends.cudnn.fp32_precision
    were = [(kind, kind.fp32_precision) for kind in _newer()]
    try:
        for kind, _ in were:
            kind.fp32_precision = "ieee"
        yield
    finally:
        for kind, precision in were:
            kind.fp32_precision = "none" if precision == above else precision


def _newer() -> list[Any]:
    """What torch's newer names set one by one; nothing where it has none."""
    cudnn: Any = torch.backends.cudnn
    return [cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul] if hasattr(cudnn, "conv") else []

"""Tensors, arrays and PIL's pictures as tensors, colours or channels first."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mtlattack.errors import InputError

# Pictures whose numbers are what they show: colours, or one number a pixel.
_COLOURS, _NUMBERS = "RGB", ("L", "P", "I", "I;16", "F")
# torch has no types for these, or does next to nothing with them.
_WIDENED = {"uint16": np.int32, "uint32": np.int64, "float16": np.float32}


def as_tensor(value: Any, what: str) -> Tensor:
    """A tensor on the CPU, without history, of what somebody has; InputError for what holds no numbers."""
    if isinstance(value, Image.Image):
        if value.mode not in (_COLOURS, *_NUMBERS):
            raise InputError(
                f"{what} is a picture of mode {value.mode!r}, expected {_COLOURS}, or for labels one of "
                f"{', '.join(_NUMBERS)}"
            )
        value = np.array(value)
    if isinstance(value, Tensor):
        # A copy where it is somebody's: datasets may give the same memory for every image.
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping | str | bytes) or value is None:
        raise InputError(f"{what} is {describe(value)}, expected a tensor, an array or a picture")
    try:
        array = np.asarray(value)
        widened = array.astype(_WIDENED.get(array.dtype.name, array.dtype.newbyteorder("=")))
        return torch.from_numpy(np.ascontiguousarray(widened))
    except (TypeError, ValueError):
        raise InputError(f"{what} is {describe(value)}, expected a tensor, an array or a picture") from None


def channels_first(values: Tensor, channels: int, what: str) -> Tensor:
    """`[C, H, W]` of that or of `[H, W, C]`; InputError for another shape, and where it could be either."""
    first, last = (values.ndim == 3 and values.shape[side] == channels for side in (0, -1))
    if first and last:
        raise InputError(
            f"{what} has shape {tuple(values.shape)}, which may be ({channels}, H, W) or (H, W, {channels})"
        )
    if not first and not last:
        raise InputError(f"{what} has shape {tuple(values.shape)}, expected ({channels}, H, W) or (H, W, {channels})")
    return values if first else values.permute(2, 0, 1)


def describe(value: object) -> str:
    """Somebody's value in a few words."""
    if isinstance(value, Tensor | np.ndarray):
        return f"a {type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} with {', '.join(map(str, value)) or 'nothing'}"
    if isinstance(value, str | int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}" if value is not None else "None"

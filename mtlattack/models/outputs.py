"""Where a foreign module returns the prediction of a task, and what becomes of it there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch.nn.functional as F
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.wording import counted

Key = str | int | tuple[str | int, ...]
Interpolation = Literal["bilinear", "bicubic", "nearest"]


@dataclass(frozen=True)
class Output:
    """A task's place among what a module returns, and the way to the task's own unit, axes and size.

    `key` is a mapping's key, a position or an attribute; a tuple leads inwards, `()` is what the module returns itself,
    None (the default) stands for the task's name. Then, in this order: `channels` cuts dimension 1, `transform` maps
    the tensor to `[B, channels of the task, h, w]` (of whole images `[B, channels]`), `resize` interpolates it to the
    images' size (corners not aligned). A transform is differentiable, treats every image alone and holds no weights:
    those belong to the module.
    """

    key: Key | None = None
    channels: slice | None = None
    transform: Callable[[Tensor], Tensor] | None = None
    resize: Interpolation | None = None

    def __post_init__(self) -> None:
        if not _is_key(self.key):
            hint = "; a function of the tensor is a transform" if callable(self.key) else ""
            raise InputError(f"key={self.key!r}, expected a key, a position or a tuple of these{hint}")
        if self.channels is not None and not isinstance(self.channels, slice):
            raise InputError(f"channels={self.channels!r}, expected a slice like slice(0, 13)")
        if self.transform is not None and not callable(self.transform):
            raise InputError(f"transform={self.transform!r}, expected a function of a tensor")
        if self.resize not in (None, *get_args(Interpolation)):
            raise InputError(f"resize={self.resize!r}, expected one of {', '.join(get_args(Interpolation))}")

    def read(self, returned: object, name: str, shape: tuple[int, ...]) -> Tensor:
        """Prediction of the task `name`, of this shape, from what a module returned; InputError if it is not there."""
        found = self._find(returned, name)
        value: Any = found
        if isinstance(value, Tensor) and self.channels is not None and value.ndim > 1:
            value = value[:, self.channels]
        if isinstance(value, Tensor) and self.transform is not None:
            value = self._transformed(value, name)
        if not isinstance(value, Tensor):
            raise InputError(f"task {name!r}: the module gives {describe(value)}, expected a tensor")
        if not value.is_floating_point():
            raise InputError(f"task {name!r}: the module gives {value.dtype}, expected floating-point numbers (logits)")
        if self.resize is not None and value.ndim == len(shape) == 4:
            value = F.interpolate(value, shape[-2:], mode=self.resize)
        if tuple(value.shape) != shape:
            raise InputError(_wrong_shape(name, found, value, shape))
        return value

    def _find(self, returned: object, name: str) -> object:
        key: Key = name if self.key is None else self.key
        value = returned
        for part in key if isinstance(key, tuple) else (key,):
            try:
                value = _step(value, part)
            except (KeyError, IndexError, TypeError, AttributeError):
                hint = "; the key of the whole is ()" if isinstance(value, Tensor) else ""
                raise InputError(
                    f"task {name!r}: no output {key!r}, the module returned {describe(returned)}{hint}"
                ) from None
        return value

    def _transformed(self, value: Tensor, name: str) -> object:
        assert self.transform is not None
        try:
            return self.transform(value)
        except Exception as error:  # a user's function raises what it likes
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"task {name!r}: the transform of {tuple(value.shape)} raised {reason}") from error


def _is_key(key: object) -> bool:
    parts = key if isinstance(key, tuple) else () if key is None else (key,)
    return all(isinstance(part, str | int) for part in parts)


def describe(value: object) -> str:
    """What a module returned, in a few words."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} with {', '.join(map(str, value)) or 'nothing'}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def _step(value: Any, part: str | int) -> object:
    # A tensor has attributes and rows as well, but none of them is an output.
    if isinstance(value, Tensor):
        raise TypeError
    if isinstance(value, Mapping) or isinstance(part, int):
        return value[part]
    return getattr(value, part)


def _wrong_shape(name: str, found: object, value: Tensor, shape: tuple[int, ...]) -> str:
    came = f"{tuple(value.shape)}" + (f" made of {describe(found)}" if value is not found else "")
    text = f"task {name!r}: the module gives {came}, expected {shape}"
    if len(shape) == 2 and value.ndim > 2:
        return f"{text}: one answer an image, pool it by Output(…, transform=…)"
    if value.ndim == 4 and value.shape[:2] == shape[:2]:
        return f"{text}: another size, give Output(…, resize='bilinear')"
    if value.ndim == 4 and value.shape[0] == shape[0] and value.shape[1] != shape[1]:
        return f"{text}: {counted(value.shape[1], 'channel')} instead of {shape[1]}"
    return text

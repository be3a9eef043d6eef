"""Tensors that are on different devices, refused where there is but one device."""

from collections.abc import Iterator
from typing import Any

import torch
from dispatch_toys import Watching
from torch import Tensor
from torch.overrides import TorchFunctionMode

# A device that computes shapes only; values cannot be read from it. Some of its operations take what is on another.
CPU, META = torch.device("cpu"), torch.device("meta")
_aten = torch.ops.aten
_COPIES = {_aten._to_copy, _aten.copy_}
# Places may be given on the host: CUDA copies them.
_INDEXING = {_aten.index, _aten.index_put, _aten.index_put_, _aten._index_put_impl_}


class MixedDevicesError(Exception):
    """Tensors of one operation are on different devices."""


class OneDevice(Watching):
    """Inside, an operation on tensors of several devices is a MixedDevicesError, where CUDA would refuse it too.

    As there, a number on the CPU (no dimensions) goes with anything that is computed value by value.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket not in _COPIES:
            self._check(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))

    def _check(self, func: Any, args: Any, kwargs: Any) -> None:
        tensors = [*_tensors(args), *_tensors(list(kwargs.values()))]
        free = [place for place in _tensors(args[1]) if place.device == CPU] if func.overloadpacket in _INDEXING else []
        if torch.Tag.pointwise in func.tags:
            free = [number for number in tensors if number.ndim == 0 and number.device == CPU]
        bound = [tensor for tensor in tensors if not any(tensor is other for other in free)]
        if len({tensor.device for tensor in bound}) > 1:
            found = ", ".join(f"{tuple(tensor.shape)} on {tensor.device}" for tensor in tensors)
            raise MixedDevicesError(f"{func} on several devices: {found}")


class HostFloat64(TorchFunctionMode):
    """Inside, as where tensors are on Apple's MPS: float64 is an error unless `cpu` has brought them to the host."""

    def __init__(self) -> None:
        super().__init__()
        self.host: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        brought = func is Tensor.cpu or any(one is other for one in _tensors(args) for other in self.host)
        if isinstance(result, Tensor) and brought:
            self.host.append(result)
        elif isinstance(result, Tensor) and result.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype: the MPS framework doesn't support it")
        return result


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)

"""Networks from descriptions: with fresh weights, or without any."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from mtlattack.errors import InputError
from mtlattack.models.mtan import MTANetwork
from mtlattack.models.network import MultiTaskNetwork, NetworkConfig
from mtlattack.models.tree import TreeNetwork
from mtlattack.schemas import validate

# Ten times what the largest networks of timm take for five tasks apart.
_MOST_TENSORS = 20_000
_KINDS: dict[str, type[MultiTaskNetwork]] = {"tree": TreeNetwork, "mtan": MTANetwork}


def create_network(config: NetworkConfig | Mapping[str, Any]) -> MultiTaskNetwork:
    """An untrained network from its description; InputError names the field that is wrong."""
    if not isinstance(config, NetworkConfig):
        config = validate(NetworkConfig, config, "network description: ")
    return _KINDS[config.sharing](config)


def sketch_network(config: NetworkConfig | Mapping[str, Any]) -> MultiTaskNetwork:
    """The same network on the meta device: names and shapes, no weights and no memory for them.

    InputError for one of more tensors than are sketched in seconds: a description may come from a stranger.
    """
    with torch.device("meta"), _NothingDrawn(), _at_most(_MOST_TENSORS):
        return create_network(config)


class _NothingDrawn(TorchFunctionMode):
    """Skips the operations that first weights are drawn with: they cost most of the time, and meta tensors have no
    values."""

    _DRAWING = ("normal_", "uniform_", "erfinv_", "clamp_", "mul_", "add_", "fill_", "zero_")

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # torch.nn.init hands its tensor on by name.
        drawn = args[0] if args else kwargs.get("tensor")
        if getattr(func, "__name__", "") in self._DRAWING and isinstance(drawn, Tensor) and drawn.is_meta:
            return drawn
        return func(*args, **kwargs)


@contextmanager
def _at_most(most: int) -> Iterator[None]:
    """Inside, InputError once modules have been given more than so many parameters, those thrown away again too."""
    count = 0

    def counted(module: nn.Module, name: str, parameter: Any) -> None:
        nonlocal count
        count += 1
        if count > most:
            raise InputError(f"the network it describes has more than {most:,} tensors")

    handle = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        handle.remove()

"""What `nn.Module.to` leaves where it was: tensors, and modules, that a module keeps in plain attributes."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

_OWN_ATTRIBUTES = frozenset(vars(nn.Module()))


def out_of_reach(module: nn.Module, device: torch.device, dtype: torch.dtype) -> list[str]:
    """The attributes, like `branches[0]`, that `module.to(device, dtype)` would leave elsewhere or in another type.

    Tensors, and modules with such, in plain lists, tuples or mappings: the user may have meant to register them.
    """
    reached = {id(tensor) for tensor in _tensors(module)}
    return [
        ".".join(filter(None, (prefix, name)))
        for prefix, part in module.named_modules()
        for name, held in _held(part)
        if any(id(tensor) not in reached and not _fits(tensor, device, dtype) for tensor in _tensors(held))
    ]


def how_to_reach(names: list[str]) -> str:
    """What to do about them, behind the message of an error; nothing where there are none."""
    advice = "Module.to reaches modules in an nn.ModuleList or nn.ModuleDict and registered buffers"
    return f"; perhaps because of what stayed behind: {', '.join(names)} ({advice})" if names else ""


def _held(part: nn.Module) -> Iterator[tuple[str, nn.Module | Tensor]]:
    for name, value in vars(part).items():
        if name not in _OWN_ATTRIBUTES:
            yield from _inside(name, value)


def _inside(name: str, value: object) -> Iterator[tuple[str, nn.Module | Tensor]]:
    """The modules and tensors in a value, by how one would write them."""
    if isinstance(value, nn.Module | Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _inside(f"{name}[{key!r}]", entry)
    elif isinstance(value, list | tuple):
        for place, entry in enumerate(value):
            yield from _inside(f"{name}[{place}]", entry)


def _tensors(held: nn.Module | Tensor) -> list[Tensor]:
    return [held] if isinstance(held, Tensor) else [*held.parameters(), *held.buffers()]


def _fits(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> bool:
    return tensor.device == device and (tensor.dtype == dtype or not tensor.is_floating_point())

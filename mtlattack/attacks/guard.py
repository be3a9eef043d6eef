"""Running somebody's model without leaving a trace in it."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def undisturbed(model: object) -> Iterator[None]:
    """Inside, an `nn.Module` is in eval mode and its parameters need no gradient; afterwards, also upon an exception,
    every submodule's mode and every parameter's flag is as it was. Any other callable is left alone."""
    if not isinstance(model, nn.Module):
        yield
        return
    modes = {module: module.training for module in model.modules()}
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        model.eval()
        for parameter in trainable:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)
        for module, mode in modes.items():
            module.training = mode  # Not .train(mode): it would descend, and a module may override it.

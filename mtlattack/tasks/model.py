"""What a model is, and how somebody's model is called without a trace in it or in what it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from mtlattack.lazily import torch
from mtlattack.tasks.base import TaskMap

if TYPE_CHECKING:
    from torch import Tensor


class Model(Protocol):
    """Images `[B, 3, H, W]` float32 in [0, 1] → a prediction a task, aligned with its label; more may be among them."""

    @property
    def tasks(self) -> TaskMap:
        """By name."""

    def __call__(self, images: Tensor, /) -> Mapping[str, Tensor]: ...


def predict(model: Model, images: Tensor) -> Mapping[str, Tensor]:
    """What a model says of `images`, which stay as they are, also if it writes into what it is given."""
    # Always a copy: whether a model writes shows only when it has. Beside its pass a copy costs next to nothing.
    return model(images.clone())


@contextmanager
def undisturbed(model: object) -> Iterator[None]:
    """Inside, an `nn.Module` is in eval mode and its parameters need no gradient; afterwards, also upon an exception,
    every submodule's mode and every parameter's flag is as it was. Any other callable is left alone."""
    if not isinstance(model, torch.nn.Module):
        yield
        return
    # A frozen TorchScript module has no mode, a parameter made in inference mode no use for its flag.
    modes = {module: module.training for module in model.modules() if hasattr(module, "training")}
    trainable = [p for p in model.parameters() if p.requires_grad and not p.is_inference()]
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

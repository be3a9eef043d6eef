"""Images as a network wants them: normalised in float32, then in the type of its weights."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn


class NormalisingModule(nn.Module):
    """A module that normalises its images itself: float32 in and out, in between the type that its weights have.

    `mean` and `std` are buffers, one value a channel, never saved.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """(images − mean)/std, rounded to the weights' type only then: an image in bfloat16 has lost its last bits."""
        weight = next((p for p in _parameters_around(self) if p.is_floating_point()), self.mean)
        return ((images - self.mean) / self.std).to(weight.dtype)


def normalising_parts(module: nn.Module) -> list[NormalisingModule]:
    """The innermost parts of a module, itself perhaps, that normalise images."""
    parts = [part for part in module.modules() if isinstance(part, NormalisingModule)]
    return [part for part in parts if sum(isinstance(inside, NormalisingModule) for inside in part.modules()) == 1]


def cast_weights(module: nn.Module, dtype: torch.dtype) -> None:
    """Cast all weights and buffers but `mean` and `std`, for images that stay float32 until they are normalised.

    Where only parts of the module normalise images, they alone are cast: what is around them computes in float32, as
    what they take and give is.
    """
    parts = normalising_parts(module)
    kept = [(part, part.mean, part.std) for part in parts]
    if not parts:
        module.to(dtype)
    for part, mean, std in kept:
        part.to(dtype)
        part.mean, part.std = mean, std


def _parameters_around(module: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters of a module that lie in none of its parts that normalise images themselves."""
    yield from module.parameters(recurse=False)
    for child in module.children():
        if not isinstance(child, NormalisingModule):
            yield from _parameters_around(child)

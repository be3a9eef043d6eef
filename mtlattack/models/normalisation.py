"""Images as a network wants them: normalised in float32, then in the type of its weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class NormalisingModule(nn.Module):
    """A module that normalises its images itself: `mean` and `std` are buffers, one value a channel, never saved."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """(images − mean)/std, rounded to the weights' type only then: an image in bfloat16 has lost its last bits."""
        weight = next((p for p in self.parameters() if p.is_floating_point()), self.mean)
        return ((images - self.mean) / self.std).to(weight.dtype)

    def cast_weights(self, dtype: torch.dtype) -> None:
        """Cast all weights and buffers but `mean` and `std`."""
        mean, std = self.mean, self.std
        self.to(dtype)
        self.mean, self.std = mean, std

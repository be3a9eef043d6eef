"""What a head is: from a backbone's features to one task's prediction at the image's size."""

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mtlattack.registry import Registry

# (channels and strides of the backbone's features, the head's own width, the task's channels) → a module that is called
# with the features, finest first, and the image's (height, width), and returns `[B, outputs, height, width]`.
HeadFactory = Callable[[Sequence[int], Sequence[int], int, int], nn.Module]
HEADS: Registry[HeadFactory] = Registry("head")


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, corners not aligned; nothing to do at the right size already."""
    if (x.shape[-2], x.shape[-1]) == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def convolution(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A convolution that keeps the size, BatchNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )

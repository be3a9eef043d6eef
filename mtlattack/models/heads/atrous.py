"""DeepLab's atrous spatial pyramids: v2 sums its branches, v3 joins them with the pooled image."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPPConv

from mtlattack.models.heads.base import HEADS, convolution, resize

_V2_RATES = (6, 12, 18, 24)
_V3_RATES = (6, 12, 18)  # at output stride 16; doubled at 8
_V2_DROPOUT, _V3_DROPOUT = 0.5, 0.1


@HEADS.register("atrous")
class AtrousHead(nn.Module):
    """Four parallel branches over the deepest feature, summed.

    Chen et al., DeepLab v2 (arXiv 1606.00915), "ASPP-L": each branch is a 3×3 convolution of dilation 6, 12, 18 or 24,
    then two 1×1 ones, with ReLU and dropout between. The DGBA authors' head, there of width 1024.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_v2_branch(channels[-1], width, outputs, rate) for rate in _V2_RATES)

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Features of each stride, finest first → `[B, outputs, *size]`."""
        first, *others = (branch(features[-1]) for branch in self.branches)
        return resize(sum(others, start=first), size)


@HEADS.register("aspp")
class ASPPHead(nn.Module):
    """A 1×1 branch, three atrous ones and the pooled image over the deepest feature, joined and projected.

    Chen et al., DeepLabV3 (arXiv 1706.05587): dilations 6, 12, 18 from output stride 16 on, twice that at 8 and less.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int, outputs: int) -> None:
        super().__init__()
        factor = 2 if strides[-1] <= 8 else 1
        atrous = [ASPPConv(channels[-1], width, factor * rate) for rate in _V3_RATES]
        self.branches = nn.ModuleList([convolution(channels[-1], width, 1), *atrous])
        self.pooled = _PooledImage(channels[-1], width)
        self.project = nn.Sequential(convolution(width * (len(self.branches) + 1), width, 1), nn.Dropout(_V3_DROPOUT))
        self.predict = nn.Sequential(convolution(width, width, 3), nn.Conv2d(width, outputs, 1))

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Features of each stride, finest first → `[B, outputs, *size]`."""
        x = features[-1]
        joined = torch.cat([*(branch(x) for branch in self.branches), self.pooled(x)], 1)
        return resize(self.predict(self.project(joined)), size)


class _PooledImage(nn.Module):
    """The image's mean feature, spread over all places.

    Normalised over an image's channels, where DeepLabV3 has BatchNorm: that knows no variance of a single 1×1 map.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(inputs, width, 1, bias=False), nn.GroupNorm(1, width), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.layers(x)
        return pooled.expand(-1, -1, *x.shape[-2:])


def _v2_branch(inputs: int, width: int, outputs: int, rate: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, width, 3, padding=rate, dilation=rate),
        nn.ReLU(),
        nn.Dropout(_V2_DROPOUT),
        nn.Conv2d(width, width, 1),
        nn.ReLU(),
        nn.Dropout(_V2_DROPOUT),
        nn.Conv2d(width, outputs, 1),
    )

"""A small feature pyramid: all features of stride 4 and more, added from the top, one 3×3 convolution, sub-pixels."""

from collections.abc import Sequence

from torch import Tensor, nn

from mtlattack.models.heads.base import HEADS, resize

_FINEST = 4


@HEADS.register("pyramid")
class PyramidHead(nn.Module):
    """From the deepest feature to that of stride 4: upsampled, and the next one added through a 1×1 convolution.

    The way from the top of Lin et al., "Feature Pyramid Networks" (arXiv 1612.03144), with one 3×3 convolution at its
    end. `channels` and `strides` describe the backbone's features, `width` is the head's own, `outputs` the task's
    channels.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int, outputs: int) -> None:
        super().__init__()
        coarse = [level for level, stride in enumerate(strides) if stride >= _FINEST]
        self.levels = coarse or [len(strides) - 1]
        self.laterals = nn.ModuleList(nn.Conv2d(channels[level], width, 1) for level in self.levels)
        self.mix = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.predict = nn.Sequential(nn.Conv2d(width, 16 * outputs, 1), nn.PixelShuffle(4))

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Features of each stride, finest first → `[B, outputs, *size]`."""
        x = self.laterals[-1](features[self.levels[-1]])
        for level, lateral in zip(self.levels[-2::-1], self.laterals[-2::-1], strict=True):  # type: ignore[call-overload]
            x = lateral(features[level]) + resize(x, (features[level].shape[-2], features[level].shape[-1]))
        return resize(self.predict(self.mix(x)), size)

"""The zoo's own head: two features, one 3×3 convolution, sub-pixel output."""

from collections.abc import Sequence

from torch import Tensor, nn

from mtlattack.models.heads.base import HEADS, resize


@HEADS.register("light")
class LightHead(nn.Module):
    """The deepest feature, upsampled and added to the one of stride 4, one 3×3 convolution, sub-pixel output.

    `channels` and `strides` describe the backbone's features, `width` is the head's own, `outputs` the task's channels.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int, outputs: int) -> None:
        super().__init__()
        self.skip = min(range(len(strides)), key=lambda i: (abs(strides[i] - 4), -i))
        self.reduce = nn.Conv2d(channels[-1], width, 1)
        self.lateral = nn.Conv2d(channels[self.skip], width, 1)
        self.mix = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.predict = nn.Sequential(nn.Conv2d(width, 16 * outputs, 1), nn.PixelShuffle(4))

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Features of each stride, finest first → `[B, outputs, *size]`."""
        skip = self.lateral(features[self.skip])
        top = resize(self.reduce(features[-1]), (skip.shape[-2], skip.shape[-1]))
        return resize(self.predict(self.mix(skip + top)), size)

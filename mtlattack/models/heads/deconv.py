"""A decoder of transposed convolutions."""

from collections.abc import Sequence
from math import ceil, log2

from torch import Tensor, nn

from mtlattack.models.heads.base import HEADS, convolution, resize

_NARROWEST = 16


@HEADS.register("deconv")
class DeconvHead(nn.Module):
    """The deepest feature, doubled in size by transposed convolutions up to the image's, then one 3×3 convolution.

    The kind of decoder in Mao et al., "Multitask Learning Strengthens Adversarial Robustness" (arXiv 2007.07236), for
    Taskonomy. It starts at `width` channels, which halve at each step but not below 16; no feature is skipped to it.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int, outputs: int) -> None:
        super().__init__()
        steps = ceil(log2(strides[-1]))
        widths = [max(width >> step, min(width, _NARROWEST)) for step in range(steps + 1)]
        self.reduce = convolution(channels[-1], width, 1)
        self.grow = nn.Sequential(*(_double(a, b) for a, b in zip(widths, widths[1:], strict=False)))
        self.predict = nn.Conv2d(widths[-1], outputs, 3, padding=1)

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Features of each stride, finest first → `[B, outputs, *size]`."""
        return resize(self.predict(self.grow(self.reduce(features[-1]))), size)


def _double(inputs: int, outputs: int) -> nn.Sequential:
    # Kernel 4 at stride 2 covers each output by the same number of inputs: no checkerboard.
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )

"""Ghost networks: the model with its skip connections a little off, otherwise in every step."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.models.prepared.copying import private_copy
from mtlattack.models.sources.base import ChangedSource
from mtlattack.models.sources.blocks import residual_blocks
from mtlattack.models.sources.drawing import uniform_by_content

SPREAD = 0.22


class GhostSource(ChangedSource):
    """Skip connection erosion (Li et al. 2020, arXiv 1812.03413): block l gives λ_l·z + f(z), λ_l uniform in
    [1 − spread, 1 + spread], 0 ≤ spread < 1.

    There one ghost is drawn a step for the whole batch. Here λ_l is a function of the seed, the block and the image as
    it is shown, to the last bit of every value: each step of each image meets another ghost, and yet an image's
    prediction depends on nothing but the image. A spread of 0 is the model itself, bit for bit.
    """

    settings: Tensor

    def __init__(self, model: nn.Module, spread: float = SPREAD, seed: int = 0) -> None:
        """InputError for a spread outside [0, 1) and for a network without residual blocks; `model` stays as it is."""
        if isinstance(spread, bool) or not isinstance(spread, int | float) or not 0 <= spread < 1:
            raise InputError(f"ghost: spread {spread!r} is outside [0, 1)")
        super().__init__(private_copy(model))
        self.spread, self.seed = float(spread), seed
        self._scales = _Scales()
        blocks = residual_blocks(self.source, "ghost")
        self._count = len(blocks)
        for place, block in enumerate(blocks):
            scaled = ScaledShortcut(self._scales, place)
            shortcut = block.downsample
            block.downsample = scaled if shortcut is None else nn.Sequential(shortcut, scaled)  # type: ignore[arg-type]
        # A model is known by the digest of its buffers: other draws must not pass for the same source.
        self.register_buffer("settings", torch.tensor([self.spread, seed], dtype=torch.float64), persistent=False)
        self.eval()

    def forward(self, images: Tensor) -> Mapping[str, Tensor]:
        """Predictions of each image's own ghost."""
        self._draw(images)
        return super().forward(images)

    def shared_features(self, images: Tensor) -> Tensor:
        """Those of each image's own ghost; InputError if the model has none."""
        self._draw(images)
        return super().shared_features(images)

    def with_shared_features(self, images: Tensor) -> tuple[Mapping[str, Tensor], Tensor]:
        """Predictions of each image's own ghost, and its feature; InputError if the model cannot say."""
        self._draw(images)
        return super().with_shared_features(images)

    def _draw(self, images: Tensor) -> None:
        shares = uniform_by_content(images, self._count, self.seed)
        self._scales.now = 1 + self.spread * (2 * shares - 1)


class _Scales:
    """What the blocks of one copy of a model read, `[B, blocks]`: set anew by every pass."""

    now: Tensor


class ScaledShortcut(nn.Module):
    """A shortcut's values times its block's λ, `[B, C, H, W]`."""

    def __init__(self, scales: _Scales, place: int) -> None:
        super().__init__()
        self.scales, self.place = scales, place

    def forward(self, x: Tensor) -> Tensor:
        """Another tensor, of the same shape."""
        return x * self.scales.now[:, self.place, None, None, None].to(x.dtype)

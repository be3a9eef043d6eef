"""Tasks that regress one value in [0, 1] a pixel, as in Taskonomy: texture edges, 2D keypoints, reshading."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.tasks.registry import TASKS
from mtlattack.tasks.regression import Regression


class Heatmap(Regression):
    """L1; predictions `[B, 1, H, W]`, targets `[B, H, W]` in [0, 1], a target that is not finite is invalid."""

    def valid(self, target: Tensor) -> Tensor:
        return torch.isfinite(target)


@TASKS.register("edge_texture")
@dataclass(frozen=True)
class EdgeTexture(Heatmap):
    """Strength of the image gradient: Canny's detector without non-maximum suppression."""

    kind: ClassVar[str] = "edge_texture"


@TASKS.register("keypoints2d")
@dataclass(frozen=True)
class Keypoints2D(Heatmap):
    """Response of the SURF keypoint detector."""

    kind: ClassVar[str] = "keypoints2d"


@TASKS.register("reshading")
@dataclass(frozen=True)
class Reshading(Heatmap):
    """Brightness of the bare geometry under one light at the camera."""

    kind: ClassVar[str] = "reshading"

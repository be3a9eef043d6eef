"""Tasks that regress one value in [0, 1] a pixel, as in Taskonomy: texture edges, 2D keypoints, reshading."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtlattack.tasks.base import check_aligned, is_finite
from mtlattack.tasks.registry import TASKS
from mtlattack.tasks.regression import Regression, known


class Heatmap(Regression):
    """L1; predictions `[B, 1, H, W]`, targets `[B, H, W]` in [0, 1], a target that is not finite is invalid."""

    def valid(self, target: Tensor) -> Tensor:
        return is_finite(target)

    def similarity(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Cosine of (p, 1 − p) and (t, 1 − t), p cut to [0, 1]: as if both were probabilities."""
        check_aligned(self, prediction, target)
        true = known(prediction, target, self.valid(target))[:, 0].clamp(0, 1)
        guess = prediction[:, 0].clamp(0, 1)
        lengths = (_square_length(guess) * _square_length(true)).sqrt()
        return (guess * true + (1 - guess) * (1 - true)) / lengths


def _square_length(share: Tensor) -> Tensor:
    return share.square() + (1 - share).square()


@TASKS.register("edge_texture")
@dataclass(frozen=True)
class EdgeTexture(Heatmap):
    """Strength of the image gradient: Canny's detector without non-maximum suppression."""

    kind: ClassVar[str] = "edge_texture"

    @property
    def short_title(self) -> str:
        return "edges"


@TASKS.register("keypoints2d")
@dataclass(frozen=True)
class Keypoints2D(Heatmap):
    """Response of the SURF keypoint detector."""

    kind: ClassVar[str] = "keypoints2d"

    @property
    def short_title(self) -> str:
        return "keypoints"


@TASKS.register("reshading")
@dataclass(frozen=True)
class Reshading(Heatmap):
    """Brightness of the bare geometry under one light at the camera."""

    kind: ClassVar[str] = "reshading"

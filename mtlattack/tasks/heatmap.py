"""Tasks that regress one value in [0, 1] a pixel, as in Taskonomy: texture edges, 2D keypoints, reshading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError
from mtlattack.lazily import torch
from mtlattack.tasks.base import check_aligned, is_finite
from mtlattack.tasks.registry import TASKS
from mtlattack.tasks.regression import Regression, known

if TYPE_CHECKING:
    from torch import Tensor

# What a share times a stored scale may be above 1.
_ROUNDING = 1e-6


class Heatmap(Regression):
    """L1; predictions `[B, 1, H, W]`, targets `[B, H, W]` in [0, 1], a target that is not finite is invalid.

    A kind may have several maps, one a channel, such as one a joint of a body: `target_channels` says how many, and a
    pixel counts where all of them are known.
    """

    stored_step: ClassVar[float] = 1 / 65534
    least_step: ClassVar[float] = 1 / 65534
    positive_factor: ClassVar[bool | None] = False

    def encode(self, values: NDArray[np.float64], valid: NDArray[np.bool_], step: float) -> NDArray[Any]:
        # Half a step is room for rounding in the source.
        if values.min() < -step / 2 or values.max() > 1 + step / 2:
            raise InputError(f"values from {values.min():.6g} to {values.max():.6g}, expected 0 to 1")
        return np.where(valid, np.floor(self.clip(values) / step + 0.5), self.stored_invalid).astype(np.uint16)

    def multiplied(self, labels: Tensor, factor: float) -> Tensor:
        # What is not finite is no label, and must not become one.
        return torch.where(is_finite(labels), (labels * factor).clamp(0, 1), labels)

    def clip(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(values, 0, 1)

    def stored_fault(self, raw: NDArray[Any], attributes: Mapping[str, Any]) -> str | None:
        known = raw[raw != attributes["invalid"]] if "invalid" in attributes else raw
        highest = known.max(initial=0) * float(attributes.get("scale", 0))
        return f"value {highest:.3g}, expected at most 1" if highest > 1 + _ROUNDING else None

    def fault(self, target: Tensor) -> str | None:
        wrong = target[(target < -_ROUNDING) | (target > 1 + _ROUNDING)]
        return f"the value {wrong[0]:.6g}, expected 0 to 1, or NaN for none" if len(wrong) else None

    def similarity(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Cosine of (p, 1 − p) and (t, 1 − t), p cut to [0, 1]: as if both were probabilities; the mean over maps."""
        check_aligned(self, prediction, target)
        true = known(prediction, target, self.valid(target)).clamp(0, 1)
        guess = prediction.clamp(0, 1)
        lengths = (_square_length(guess) * _square_length(true)).sqrt()
        alike = (guess * true + (1 - guess) * (1 - true)) / lengths
        return alike.squeeze(1) if self.channels == 1 else alike.mean(1)


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

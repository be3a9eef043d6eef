"""Tasks that regress one value in [0, 1] a pixel: occluding texture edges and 2D keypoints, as in Taskonomy."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.tasks.base import Metric, Task, check_aligned, divide, masked_mean
from mtlattack.tasks.registry import TASKS


class Heatmap(Task):
    """L1; predictions `[B, 1, H, W]`, targets `[B, H, W]` in [0, 1], a target that is not finite is invalid."""

    metric_table: ClassVar[tuple[Metric, ...]] = (Metric("l1", "", False),)

    @property
    def channels(self) -> int:
        return 1

    @property
    def statistics_names(self) -> tuple[str, ...]:
        return ("pixels", "abs_sum")

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        check_aligned(self, prediction, target)
        valid = torch.isfinite(target)
        return masked_mean((prediction[:, 0] - torch.where(valid, target, 0.0)).abs(), valid)

    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        check_aligned(self, prediction, target)
        valid = torch.isfinite(target)
        error = (prediction[:, 0] - torch.where(valid, target, 0.0)).abs()
        return torch.stack([valid.sum((1, 2)).float(), torch.where(valid, error, 0.0).sum((1, 2)).float()], 1)

    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        pixels, absolute = np.moveaxis(np.asarray(statistics_sum, np.float64), -1, 0)
        return {"l1": divide(absolute, pixels)}


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

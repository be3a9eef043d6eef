"""Depth in metres."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.tasks.base import Metric, Task, check_aligned, divide, masked_mean
from mtlattack.tasks.registry import TASKS

_RATIOS = (1.25, 1.25**2, 1.25**3)


@TASKS.register("depth")
@dataclass(frozen=True)
class Depth(Task):
    """Masked L1; predictions `[B, 1, H, W]` and targets `[B, H, W]` in metres, targets ≤ 0 or not finite are invalid.

    A pixel is an inlier if max(p/t, t/p) ≤ 1.25^k *and* p > 0: a negative depth is no inlier.
    """

    kind: ClassVar[str] = "depth"
    metric_table: ClassVar[tuple[Metric, ...]] = (
        Metric("abs_error", "m", False),
        Metric("rel_error", "", False),
        Metric("rmse", "m", False),
        Metric("delta1", "%", True),
        Metric("delta2", "%", True),
        Metric("delta3", "%", True),
    )

    @property
    def channels(self) -> int:
        return 1

    @property
    def statistics_names(self) -> tuple[str, ...]:
        return ("pixels", "abs_sum", "rel_sum", "square_sum", "inliers1", "inliers2", "inliers3")

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        check_aligned(self, prediction, target)
        valid = _valid(target)
        return masked_mean((prediction[:, 0] - torch.where(valid, target, 0.0)).abs(), valid)

    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        check_aligned(self, prediction, target)
        valid = _valid(target)
        true = torch.where(valid, target, 1.0)
        guess = prediction[:, 0]
        error = (guess - true).abs()
        positive = guess > 0
        ratio = torch.where(positive, torch.maximum(guess / true, true / torch.where(positive, guess, 1.0)), torch.inf)
        columns = [torch.ones_like(true), error, error / true, error**2, *(ratio <= limit for limit in _RATIOS)]
        return torch.stack([torch.where(valid, column, 0).sum((1, 2)).float() for column in columns], 1)

    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        pixels, absolute, relative, square, *inliers = np.moveaxis(np.asarray(statistics_sum, np.float64), -1, 0)
        result = {
            "abs_error": divide(absolute, pixels),
            "rel_error": divide(relative, pixels),
            "rmse": np.sqrt(divide(square, pixels)),
        }
        return result | {f"delta{k}": 100 * divide(count, pixels) for k, count in enumerate(inliers, 1)}


def _valid(target: Tensor) -> Tensor:
    return torch.isfinite(target) & (target > 0)

"""Principal curvatures of the visible surface."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.tasks.base import Metric, divide
from mtlattack.tasks.registry import TASKS
from mtlattack.tasks.regression import Regression


@TASKS.register("principal_curvature")
@dataclass(frozen=True)
class PrincipalCurvature(Regression):
    """L1, the mean over both curvatures; predictions and targets `[B, 2, H, W]`, targets not finite are invalid.

    A flat surface has 0, 0. The unit is the source's: Taskonomy publishes curvatures in [−1, 1] without one.
    """

    kind: ClassVar[str] = "principal_curvature"
    target_channels: ClassVar[tuple[int, ...]] = (2,)
    metric_table: ClassVar[tuple[Metric, ...]] = (Metric("l1", "", False),)

    @property
    def channels(self) -> int:
        return 2

    @property
    def statistics_names(self) -> tuple[str, ...]:
        return ("pixels", "abs_sum")

    def valid(self, target: Tensor) -> Tensor:
        return torch.isfinite(target).all(1)

    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        pixels, absolute = np.moveaxis(np.asarray(statistics_sum, np.float64), -1, 0)
        return {"l1": divide(absolute, pixels)}

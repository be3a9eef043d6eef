"""Distance from the camera in metres, along the viewing axis or along the ray, and inverse depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtlattack.lazily import torch
from mtlattack.tasks.base import check_aligned
from mtlattack.tasks.contradictions import SUM, Array, Contradiction, falling, miscounted
from mtlattack.tasks.doubts import Doubt, doubt_sign, doubt_unit
from mtlattack.tasks.metric import Metric, divide
from mtlattack.tasks.painting import Painting, paint_scale
from mtlattack.tasks.registry import TASKS
from mtlattack.tasks.regression import Regression, whole_steps
from mtlattack.tasks.tally import weighted_median

if TYPE_CHECKING:
    from torch import Tensor

_RATIOS = (1.25, 1.25**2, 1.25**3)
_MOST_STEPS = 65535
# Below this a square is no float32 any more.
_SMALLEST = 1e-15
# How far off a pixel is at most that is an inlier, and at least that is none.
_INSIDE = np.array(_RATIOS) - 1
_OUTSIDE = 1 - 1 / np.array(_RATIOS)


class PositiveRegression(Regression):
    """L1; predictions `[B, 1, H, W]` and targets `[B, H, W]` in one unit, targets ≤ 0 or not finite are invalid."""

    def valid(self, target: Tensor) -> Tensor:
        # As a cast: a comparison takes four times as long on a CPU.
        return target.nan_to_num(0, 0, 0).clamp_min(0).bool()

    stored_invalid: ClassVar[int] = 0
    positive_factor: ClassVar[bool | None] = True
    doubtful: ClassVar[tuple[str, ...]] = ("wrong-unit", "negative-depth")

    def encode(self, values: NDArray[np.float64], valid: NDArray[np.bool_], step: float) -> NDArray[Any]:
        """At least one step: what is valid must not become 0."""
        valid = valid & (values > 0)
        steps = np.maximum(whole_steps(np.where(valid, values, 0), step, _MOST_STEPS), 1)
        return np.where(valid, steps, 0).astype(np.uint16)

    def fault(self, target: Tensor) -> str | None:
        wrong = target[(target < 0) | target.isinf()]
        return f"the value {wrong[0]:.6g}, expected more than 0, or 0 or NaN for none" if len(wrong) else None

    def look(self, prediction: Tensor, target: Tensor) -> dict[str, float]:
        """`factor`: median of prediction/label where both are positive; `negative`: share of predictions ≤ 0."""
        check_aligned(self, prediction, target)
        valid = self.valid(target)
        guess, true = prediction.detach()[:, 0][valid], target[valid]
        positive = guess > 0
        seen = {"negative": int((guess <= 0).sum()) / len(guess)} if len(guess) else {}
        return seen | ({"factor": float((guess / true)[positive].median())} if positive.any() else {})

    def doubts(self, seen: Mapping[str, float]) -> list[Doubt]:
        unit = doubt_unit(self.name, seen["factor"], self.metric_table[0].unit) if "factor" in seen else []
        return unit + doubt_sign(self.name, seen.get("negative", 0.0))


class Distance(PositiveRegression):
    """L1 over distances in metres.

    A pixel is an inlier if max(p/t, t/p) ≤ 1.25^k *and* p > 0: a negative distance is no inlier.
    """

    metric_table: ClassVar[tuple[Metric, ...]] = (
        Metric("abs_error", "m", False),
        Metric("rel_error", "", False),
        Metric("rmse", "m", False),
        Metric("delta1", "%", True, 100.0),
        Metric("delta2", "%", True, 100.0),
        Metric("delta3", "%", True, 100.0),
    )
    stored_unit: ClassVar[str] = "metre"
    stored_step: ClassVar[float] = 0.001
    # By 0.
    always_reached: ClassVar[float] = 1.0

    @property
    def headline(self) -> str:
        return "rel_error"

    @property
    def statistics_names(self) -> tuple[str, ...]:
        return ("pixels", "abs_sum", "rel_sum", "square_sum", "inliers1", "inliers2", "inliers3")

    def _median(self, values: NDArray[np.float32], counts: NDArray[np.float64]) -> float:
        return weighted_median(values, counts / values)

    def _more_columns(self, prediction: Tensor, target: Tensor, error: Tensor) -> list[Tensor]:
        true = torch.where(self.valid(target), target, 1.0)
        guess = prediction[:, 0].clamp_min(0) + 0.0  # 0 and not −0, so that its ratio is inf.
        ratio = torch.maximum(guess / true, true / guess)
        return [error / true, error**2, *(ratio <= limit for limit in _RATIOS)]

    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        pixels, absolute, relative, square, *inliers = np.moveaxis(np.asarray(statistics_sum, np.float64), -1, 0)
        result = {
            "abs_error": divide(absolute, pixels),
            "rel_error": divide(relative, pixels),
            "rmse": np.sqrt(divide(square, pixels)),
        }
        return result | {f"delta{k}": 100 * divide(count, pixels) for k, count in enumerate(inliers, 1)}

    def paint(self, labels: NDArray[Any], names: Sequence[str] = ()) -> Painting:
        return paint_scale(labels, np.isfinite(labels) & (labels > 0), "viridis_r", "m")

    def zoomed(self, label: Tensor, factor: float) -> Tensor:
        return label / factor

    def contradictions(self, statistics: Array, losses: Array) -> Iterator[Contradiction]:
        """Also error sums that bound each other, and inliers that bound the relative error.

        A pixel that is no inlier by 1.25^k is at least 1 − 1.25^−k off, one that is at most 1.25^k − 1.
        """
        yield from super().contradictions(statistics, losses)
        pixels, absolute, relative, square, *inliers = statistics.T
        yield from miscounted(pixels, **{f"inliers{k}": count for k, count in enumerate(inliers, 1)})
        yield from falling(inliers1=inliers[0], inliers2=inliers[1], inliers3=inliers[2], pixels=pixels)
        counting = absolute > _SMALLEST * np.maximum(pixels, 1)
        low = counting & (square * pixels * (1 + SUM) < absolute**2)
        yield Contradiction(low, "square_sum is less than abs_sum²/pixels (Cauchy and Schwarz)")
        yield Contradiction(square > absolute**2 * (1 + SUM) + _SMALLEST, "square_sum is more than abs_sum²")
        shells = np.diff(np.stack([*inliers, pixels]), axis=0)
        least = (_OUTSIDE[:, None] * shells).sum(0)
        says = "rel_sum is less than what the pixels that are no inliers add"
        yield Contradiction(relative < least * (1 - SUM), says)
        most = _INSIDE[0] * inliers[0] + (_INSIDE[1:, None] * shells[:2]).sum(0)
        high = (inliers[2] == pixels) & (relative > most * (1 + SUM))
        yield Contradiction(high, "rel_sum is more than pixels that all are inliers add")


@TASKS.register("depth")
@dataclass(frozen=True)
class Depth(Distance):
    """Metres along the viewing axis (z-depth)."""

    kind: ClassVar[str] = "depth"


@TASKS.register("depth_euclidean")
@dataclass(frozen=True)
class DepthEuclidean(Distance):
    """Metres along the ray, from the optical centre to what the pixel shows."""

    kind: ClassVar[str] = "depth_euclidean"

    @property
    def short_title(self) -> str:
        return "eucl. depth"


@TASKS.register("inverse_depth")
@dataclass(frozen=True)
class InverseDepth(PositiveRegression):
    """1/z-depth in 1/m, as from a stereo pair's disparity: far things are 0 and so invalid."""

    kind: ClassVar[str] = "inverse_depth"
    stored_unit: ClassVar[str] = "1/m"
    stored_step: ClassVar[float] = 1e-4
    metric_table: ClassVar[tuple[Metric, ...]] = (Metric("abs_error", "1/m", False), Metric("rel_error", "", False))

    @property
    def short_title(self) -> str:
        return "inv. depth"

    @property
    def statistics_names(self) -> tuple[str, ...]:
        return ("pixels", "abs_sum", "rel_sum")

    def _more_columns(self, prediction: Tensor, target: Tensor, error: Tensor) -> list[Tensor]:
        return [error / torch.where(self.valid(target), target, 1.0)]

    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        pixels, absolute, relative = np.moveaxis(np.asarray(statistics_sum, np.float64), -1, 0)
        return {"abs_error": divide(absolute, pixels), "rel_error": divide(relative, pixels)}

    def paint(self, labels: NDArray[Any], names: Sequence[str] = ()) -> Painting:
        """What is near has the colours that it has as depth."""
        return paint_scale(labels, np.isfinite(labels) & (labels > 0), "viridis", "1/m", start=0.0)

    def zoomed(self, label: Tensor, factor: float) -> Tensor:
        return label * factor

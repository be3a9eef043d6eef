"""Principal curvatures of the visible surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtlattack.tasks.base import is_finite
from mtlattack.tasks.painting import Painting, masked
from mtlattack.tasks.registry import TASKS
from mtlattack.tasks.regression import SignedRegression

if TYPE_CHECKING:
    from torch import Tensor


@TASKS.register("principal_curvature")
@dataclass(frozen=True)
class PrincipalCurvature(SignedRegression):
    """L1, the mean over both curvatures; predictions and targets `[B, 2, H, W]`, targets not finite are invalid.

    A flat surface has 0, 0. The unit is the source's: Taskonomy publishes curvatures in [−1, 1] without one.
    """

    kind: ClassVar[str] = "principal_curvature"
    target_channels: ClassVar[tuple[int, ...]] = (2,)
    stored_step: ClassVar[float] = 1 / 4096

    @property
    def short_title(self) -> str:
        return "curvature"

    def stored_fault(self, raw: NDArray[Any], attributes: Mapping[str, Any]) -> str | None:
        if "invalid" not in attributes:
            return None
        unknown = raw == attributes["invalid"]
        return "a pixel with one curvature alone" if (unknown[..., 0] != unknown[..., 1]).any() else None

    def fault(self, target: Tensor) -> str | None:
        if target.isinf().any():
            return f"the value {target[target.isinf()][0]}, expected finite numbers, or NaN for none"
        first, second = is_finite(target).unbind(-3)
        return "a pixel with one curvature alone" if (first != second).any() else None

    def paint(self, labels: NDArray[Any], names: Sequence[str] = ()) -> Painting:
        """Red and green, mid-grey where the surface is flat."""
        curvatures = labels.transpose(0, 2, 3, 1).astype(np.float64)
        valid: NDArray[np.bool_] = np.all(np.isfinite(curvatures), axis=-1)
        curvatures = np.where(valid[..., None], curvatures, 0)
        limit = max(float(np.percentile(np.abs(curvatures), 99)), 1e-6)
        red_green = np.clip((curvatures / limit + 1) / 2, 0, 1)
        return Painting(masked(np.concatenate([red_green, np.full_like(red_green[..., :1], 0.5)], -1), valid))

"""Principal curvatures of the visible surface."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtlattack.tasks.base import is_finite
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

    @property
    def short_title(self) -> str:
        return "curvature"

    @property
    def channels(self) -> int:
        return 2

    def valid(self, target: Tensor) -> Tensor:
        first, second = is_finite(target).unbind(1)
        return first & second

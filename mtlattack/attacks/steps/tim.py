"""TI-FGSM: a gradient smoothed over translations."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from mtlattack.attacks.steps.mim import MIM
from mtlattack.attacks.steps.registry import STEPS
from mtlattack.errors import InputError

# The kernel ends at three standard deviations, as in the paper.
_DEVIATIONS = 3


@STEPS.register("tim")
@dataclass(frozen=True, kw_only=True)
class TIM(MIM):
    """MIM on W * g: convolved with a Gaussian, for the mean over translations (Dong et al. 2019, arXiv 1904.02884).

    `kernel` is its width in pixels, odd: 15 in the paper, for 299 pixels; 7 suits 64 to 256. Costs what MIM does.
    """

    kind: ClassVar[str] = "tim"

    kernel: int = 7

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.kernel, bool) or not isinstance(self.kernel, int) or self.kernel < 1 or self.kernel % 2 == 0:
            raise InputError(f"kernel {self.kernel!r} is not an odd number ≥ 1")

    def velocity(self, gradient: Tensor, previous: Tensor | None) -> Tensor:
        return super().velocity(self._smooth(gradient), previous)

    def _smooth(self, gradient: Tensor) -> Tensor:
        """Rows, then columns; zeros stand around the image."""
        half = self.kernel // 2
        if half == 0:
            return gradient
        at = torch.linspace(-_DEVIATIONS, _DEVIATIONS, self.kernel, dtype=torch.float64)
        weights = (-at.square() / 2).exp()
        weights = (weights / weights.sum()).to(gradient)
        planes = gradient.flatten(0, 1).unsqueeze(1)
        down = F.conv2d(planes, weights.view(1, 1, -1, 1), padding=(half, 0))
        return F.conv2d(down, weights.view(1, 1, 1, -1), padding=(0, half)).view_as(gradient)

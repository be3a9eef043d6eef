"""SKILL: what is left of a model that is better than a constant answer."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.aggregators.base import LinearAggregator
from mtlattack.attacks.aggregators.registry import AGGREGATORS
from mtlattack.attacks.constants import FAR
from mtlattack.attacks.options import check_number, check_positive
from mtlattack.tasks import LOSS_FLOOR

_FLOOR = LOSS_FLOOR / FAR


@AGGREGATORS.register("skill")
@dataclass(frozen=True, kw_only=True)
class RemainingSkill(LinearAggregator):
    """DGBA on the tasks that still have skill: weights 1/L_i while L_i is below `margin` times the loss of the best
    constant answer to the image, and `leak`/L_i beyond; ours, made for the number that the leaderboard ranks by.

    Robust skill counts a task that is worse than a constant as 0, however bad it is: raising that loss further gains
    nothing. Skill is of all images together, so a task is driven somewhat past the constant answer on each; `leak`
    keeps it there. The score is Σ_i log r_i where r_i ≤ 1 and `leak` times it beyond, r_i = L_i/(margin · L_i of the
    constant answer). No task whose metric counts hits (mIoU) is let go of, and none of a label of the whole image. One
    backward pass a step.
    """

    kind: ClassVar[str] = "skill"
    ascends_only: ClassVar[str] = "it lets go of the tasks that are worse than a constant answer, here the farthest"
    relative_to_constant: ClassVar[bool] = True

    margin: float = 1.5
    leak: float = 0.1

    def __post_init__(self) -> None:
        check_positive("margin", self.margin)
        check_number("leak", self.leak, 0, 1)

    def weights(self, losses: Tensor) -> Tensor:
        return torch.where(losses < self.margin, 1.0, self.leak) / losses.clamp_min(_FLOOR)

    def score(self, losses: Tensor) -> Tensor:
        past = (losses.clamp_min(_FLOOR) / self.margin).log()
        return torch.where(past < 0, past, self.leak * past).sum(1)

"""Houdini: the margin by which a pixel is wrong, as the chance that noise on the scores hides it."""

from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.criteria.base import Criterion
from mtlattack.attacks.criteria.registry import CRITERIA
from mtlattack.tasks import Segmentation, Task
from mtlattack.tasks.base import check_aligned, masked_mean


@CRITERIA.register("houdini")
class Houdini(Criterion):
    """w·[1 − Φ(z_y − z_ŷ)] of each pixel, ŷ the class that is predicted, Φ the normal distribution (Cissé et al. 2017,
    arXiv 1707.05373), with w the image's mIoU in [0, 1], held fixed, as Mao et al. use it (2020, arXiv 2007.07236).

    Of a pixel that is right y = ŷ, and the value is w/2 with nothing to climb; as in their code its z_ŷ is held fixed
    there, so that it goes down along z_y. An image whose mIoU is zero is climbed no further. Segmentation only: other
    tasks keep their loss. Costs no pass.
    """

    kind: ClassVar[str] = "houdini"

    def loss(self, task: Task, prediction: Tensor, target: Tensor, progress: float) -> Tensor:
        if not isinstance(task, Segmentation):
            return task.loss(prediction, target)
        check_aligned(task, prediction, target)
        valid = target != task.ignore
        truth = torch.where(valid, target, 0).unsqueeze(1)
        highest, predicted = prediction.max(1, keepdim=True)
        highest = torch.where(predicted == truth, highest.detach(), highest)
        lead = (prediction.gather(1, truth) - highest).squeeze(1)
        return _overlap(task, prediction, target) * masked_mean(torch.special.ndtr(-lead), valid)


def _overlap(task: Segmentation, prediction: Tensor, target: Tensor) -> Tensor:
    """The mIoU of each image, `[B]` in [0, 1]; 0 where no pixel has a label."""
    with torch.no_grad():
        hits, false, missed = task.statistics(prediction, target)[:, 1:].chunk(3, 1)
        occurs = hits + missed > 0
        iou = torch.where(occurs, hits / (hits + false + missed).clamp_min(1), 0)
        return (iou.sum(1) / occurs.sum(1).clamp_min(1)).to(prediction)

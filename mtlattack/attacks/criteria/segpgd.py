"""SegPGD: pixels that are still right first, the others later."""

from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.criteria.base import Criterion
from mtlattack.attacks.criteria.registry import CRITERIA
from mtlattack.tasks import Segmentation, Task
from mtlattack.tasks.base import masked_mean


@CRITERIA.register("segpgd")
class SegPGD(Criterion):
    """(1 − λ)·CE of pixels that are predicted right and λ·CE of the others, λ = (t − 1)/2T in step t of T (Gu et al.
    2022, arXiv 2207.12391). Segmentation only: other tasks keep their loss, and so does an image without a pixel that
    is right, which would have nothing to start from. Costs no pass."""

    kind: ClassVar[str] = "segpgd"

    def loss(self, task: Task, prediction: Tensor, target: Tensor, progress: float) -> Tensor:
        if not isinstance(task, Segmentation):
            return task.loss(prediction, target)
        values, valid = task.pixel_losses(prediction, target)
        right = valid & (prediction.argmax(1) == target)
        wrong = torch.where(right.any(2).any(1), progress / 2, 1.0)[:, None, None]
        weights = torch.where(right, 1 - progress / 2, wrong)
        return masked_mean(weights.to(values) * values, valid)

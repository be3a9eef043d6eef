"""DLR: whether pixels are right or wrong, in units that no scale of the logits changes."""

from typing import ClassVar

import torch
from torch import Tensor

from mtlattack.attacks.criteria.base import Criterion
from mtlattack.attacks.criteria.registry import CRITERIA
from mtlattack.tasks import Classes, Task
from mtlattack.tasks.base import check_aligned, masked_mean

# tanh is 1 to the last float from here on; a power of two, so that a scale of the logits changes no bit.
_FAR = 64


@CRITERIA.register("dlr")
class DLR(Criterion):
    """1 + tanh(DLR) of each pixel, DLR = −(z_y − max_{j≠y} z_j)/(z_π1 − z_π3) the difference of logits ratio, where π
    orders the logits z from the largest on (Croce & Hein 2020, arXiv 2003.01690, eq. 6).

    DLR is −1 to 0 where a pixel is right, without bound where it is wrong. The tanh, not in the paper, keeps pixels
    that are lost already from being all that is climbed: without it attacks end with several times the mIoU. Neither
    value nor direction changes with shifts and positive factors of a pixel's logits, so that softening or sharpening
    them hides nothing; for that it judges, too.

    Two classes have no third logit: there the unit is the mean |z_1 − z_2| of the image's valid pixels, held fixed,
    and factors must be those of a whole image. Where the three largest are equal a pixel has no gradient, and counts
    1, or 2 if its class is below them. A class of the whole image is that of one pixel. Tasks without classes keep
    their loss. Costs no pass.
    """

    kind: ClassVar[str] = "dlr"
    judges: ClassVar[bool] = True
    descends: ClassVar[bool] = True

    def loss(self, task: Task, prediction: Tensor, target: Tensor, progress: float) -> Tensor:
        if not isinstance(task, Classes):
            return task.loss(prediction, target)
        check_aligned(task, prediction, target)
        if not task.dense:  # An image is one pixel.
            prediction, target = prediction[..., None, None], target[:, None, None]
        valid = target != task.ignore
        truth = torch.where(valid, target, 0)
        largest, order = prediction.topk(min(3, task.classes), 1)
        rival = torch.where(order[:, 0] == truth, largest[:, 1], largest[:, 0])
        lead = rival - prediction.gather(1, truth.unsqueeze(1)).squeeze(1)
        if task.classes == 2:
            unit = masked_mean(lead.detach().abs(), valid)[:, None, None]
        else:
            unit = largest[:, 0] - largest[:, 2]
        near = lead.abs() < _FAR * unit
        ratio = torch.where(near, lead, 0) / torch.where(near, unit, 1)
        return masked_mean(1 + torch.where(near, ratio.tanh(), lead.detach().sign()), valid)

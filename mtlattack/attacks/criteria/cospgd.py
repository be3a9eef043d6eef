"""CosPGD: pixels count as much as prediction and target are still alike."""

from typing import ClassVar

from torch import Tensor

from mtlattack.attacks.criteria.base import Criterion
from mtlattack.attacks.criteria.registry import CRITERIA
from mtlattack.errors import InputError
from mtlattack.tasks import Task
from mtlattack.tasks.base import masked_mean


@CRITERIA.register("cospgd")
class CosPGD(Criterion):
    """Pixel losses times cos(σ(prediction), target), a factor held fixed (Agnihotri et al. 2024, arXiv 2302.02213).

    | task | factor |
    |---|---|
    | segmentation | cosine of the softmax and the one-hot class, as in the paper |
    | depth, curvature | 2⟨p, t⟩/(‖p‖² + ‖t‖²), not below 0: the cosine of (p, t) and (t, p) |
    | heat maps in [0, 1] | cosine of (p, 1 − p) and (t, 1 − t) |
    | normals | (1 + cos)/2 of the angle |

    The authors' code takes the softmax over the channels of a regression's prediction and target, which is 1 for one
    channel, so that nothing would change. The factors are the tasks' `similarity`. Costs no pass. InputError for a task
    that has no pixel losses.
    """

    kind: ClassVar[str] = "cospgd"

    def loss(self, task: Task, prediction: Tensor, target: Tensor, progress: float) -> Tensor:
        if not isinstance(task, Task):
            name = getattr(task, "name", type(task).__name__)
            raise InputError(f"{name}: {self.kind} needs the losses of pixels, and {type(task).__name__} is no Task")
        values, valid = task.pixel_losses(prediction, target)
        return masked_mean(task.similarity(prediction, target).detach() * values, valid)

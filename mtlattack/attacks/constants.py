"""Where a task has no skill left: at the loss of the best constant answer to the image."""

from collections.abc import Mapping

import torch
from torch import Tensor

from mtlattack.tasks import LOSS_FLOOR, Task, alone

# What stands for it where no loss of an image says so.
FAR = 1e6


def lost_at(tasks: Mapping[str, Task], targets: Mapping[str, Tensor]) -> Tensor:
    """Losses `[B, T]` at which these tasks have no skill left on each image, without a pass.

    That of the constant answer with the least loss on it, `Task.constants`; `FAR` where the headline metric counts
    hits, of which the last is lost at no certain loss, and for a label of the whole image: a constant always hits it.
    """
    with torch.no_grad():
        return torch.stack([_lost_at(alone(task), targets[name]) for name, task in tasks.items()], 1)


def _lost_at(task: Task, target: Tensor) -> Tensor:
    if task.headline_metric.higher_is_better or not task.dense:
        return torch.full((len(target),), FAR, device=target.device)
    answers = task.constants(target)[..., None, None].expand(-1, -1, *target.shape[-2:])
    return task.loss(answers, target).float().clamp_min(LOSS_FLOOR)

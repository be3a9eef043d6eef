"""How far a targeted attack has led a model's predictions: a row of numbers an image and task."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.attacks import goals_of
from mtlattack.data import Batch
from mtlattack.evaluation.crafting import no_autocast
from mtlattack.evidence import ARRIVAL
from mtlattack.tasks import Goal, Model, Task, predict, undisturbed
from mtlattack.tasks.base import sum_of_image


def measure_arrival(
    victim: Model, images: Tensor, clean: Batch, target: Mapping[str, str] | None
) -> NDArray[np.float64] | None:
    """Of `images` `[B, 3, H, W]`, made of `clean` ones, what ARRIVAL names, `[B, T, A]`: NaN for a task without a goal,
    None without a target.

    Two forward passes: of the images and of the clean ones, by the same model.
    """
    if target is None:
        return None
    goals = goals_of(target, victim.tasks)
    with torch.inference_mode(), undisturbed(victim), no_autocast(images.device):
        after, before = ({n: p.float() for n, p in predict(victim, x).items()} for x in (images, clean.images))
        rows = [
            _row(task, goals[name], before[name], after[name], clean.targets[name])
            if name in goals
            else torch.full((len(images), len(ARRIVAL)), torch.nan, device=images.device)
            for name, task in victim.tasks.items()
        ]
        measured: NDArray[np.float64] = torch.stack(rows, 1).cpu().double().numpy()
    return measured


def _row(task: Task, goal: Goal, before: Tensor, after: Tensor, labels: Tensor) -> Tensor:
    """`[B, A]` float32 of one task."""
    wanted = goal.of(labels)
    _, labelled = task.pixel_losses(after, labels)
    _, led = task.pixel_losses(after, wanted)
    aimed = led & (task.apart(wanted, labels) > 0)
    rest = labelled & ~aimed
    now, once = task.as_label(after), task.as_label(before)
    columns = (
        aimed.float(),
        _within(task.apart(once, wanted), aimed),
        _within(task.apart(now, wanted), aimed),
        rest.float(),
        _within(task.apart(now, once), rest),
    )
    losses = [task.loss(prediction, wanted) for prediction in (before, after)]
    return torch.stack([*losses, *(sum_of_image(column) for column in columns)], 1)


def _within(values: Tensor, pixels: Tensor) -> Tensor:
    return torch.where(pixels, values, 0.0)

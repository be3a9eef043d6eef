"""The best constant answer to each image by itself: beyond it a task has no skill left."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, full_like, ones, stack

from mtlattack.tasks import LOSS_FLOOR, JointTask, Task, alone

# The loss that stands for no skill where a metric counts hits, whose last is lost only where no loss says so.
FAR = 1e3


def constant_answers(task: Task | JointTask, target: Tensor) -> Tensor:
    """For each image the constant that is best on its own labels, ones where it has none, as a prediction
    `[B, channels, H, W]`, or `[B, channels]` of whole images. Of a task of several models each gives the same."""
    single = alone(task)
    answers = []
    for place in range(len(target)):
        own = target[place : place + 1]
        answer = single.spread(ones(single.channels, device=target.device), own)
        if single.statistics(answer, own)[0, 0] > 0:
            answer = single.spread(single.best_constant([own]).to(target.device), own)
        answers.append(answer[0])
    prediction = stack(answers)
    copies = task.channels // single.channels
    return prediction.repeat(1, copies, *[1] * (prediction.ndim - 2))


def lost_at(tasks: Mapping[str, Task], losses: Tensor) -> Tensor:
    """Losses `[B, T]` at which these tasks have no skill left, from those of `constant_answers`: these, where the
    headline metric is an error; `FAR` where it counts hits."""
    limits = losses.clamp_min(LOSS_FLOOR)
    for place, task in enumerate(tasks.values()):
        if alone(task).headline_metric.higher_is_better:
            limits[:, place] = full_like(limits[:, place], FAR)
    return limits

"""One task as several models predict it at once: what an ensemble of sources is attacked by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtlattack.errors import InputError
from mtlattack.lazily import torch
from mtlattack.tasks.base import Task

if TYPE_CHECKING:
    from torch import Tensor

    Loss = Callable[[Task, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class JointTask:
    """A task whose prediction `[B, sources·channels, H, W]` is that of several models, one behind the other.

    Its loss is the mean of theirs. It takes the labels of `task` and counts as equal to it where tasks are compared.
    It has no statistics and so no metrics: several predictions are none that could be judged.
    """

    task: Task
    sources: int

    @property
    def name(self) -> str:
        """That of the task."""
        return self.task.name

    def called(self, name: str) -> JointTask:
        """The same under another name."""
        return JointTask(self.task.called(name), self.sources)

    @property
    def channels(self) -> int:
        """Of all predictions together."""
        return self.sources * self.task.channels

    def __eq__(self, other: object) -> bool:
        if isinstance(other, JointTask):
            return (self.task, self.sources) == (other.task, other.sources)
        return self.task == other

    def __hash__(self) -> int:
        return hash(self.task)

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The mean of the models' losses, per image `[B]`."""
        return mean_loss(self, prediction, lambda task, each: task.loss(each, target))

    def look(self, prediction: Tensor, target: Tensor) -> dict[str, float]:
        """Nothing: units and scales are each model's own."""
        return {}

    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        """InputError: an ensemble is a source of images alone."""
        raise InputError(
            f"{self.name}: {self.sources} models predict it at once, which makes a source of adversarial images; "
            "expected one model to be judged"
        )

    def config(self) -> Mapping[str, Any]:
        """That of the task whose labels it takes."""
        return self.task.config()


def mean_loss(task: Task | JointTask, prediction: Tensor, loss: Loss) -> Tensor:
    """`loss(task, prediction)` `[B]`; of a task of several models the mean over them."""
    if not isinstance(task, JointTask):
        return loss(task, prediction)
    if prediction.shape[1] != task.channels:
        raise InputError(
            f"{task.name}: prediction has shape {tuple(prediction.shape)}, expected {task.sources}·"
            f"{task.task.channels} channels"
        )
    losses = [loss(task.task, each) for each in prediction.split(task.task.channels, 1)]
    # One after the other: a mean over a dimension might be rounded by how many images there are.
    total = losses[0]
    for each in losses[1:]:
        total = total + each
    return total / task.sources


def joint_features(features: Sequence[Tensor]) -> Tensor:
    """Features `[B, C, …]` of several models as one `[B, ΣC, P]`: channels one behind the other, each with zeros up to
    the most places that one has, so that sums and inner products over an image are the sums of the models'."""
    flat = [feature.reshape(*feature.shape[:2], -1) for feature in features]
    most = max(feature.shape[2] for feature in flat)
    return torch.cat([torch.nn.functional.pad(feature, (0, most - feature.shape[2])) for feature in flat], 1)


def alone(task: Task | JointTask) -> Task:
    """The task as one model predicts it."""
    return task.task if isinstance(task, JointTask) else task

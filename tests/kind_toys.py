"""A task of every kind, with as many classes or labels as a test needs, and shapes of predictions and labels."""

import torch
from torch import Generator, Tensor

from mtlattack.tasks import Classes, Task, create_task, task_types


def every_task(classes: int = 5) -> dict[str, Task]:
    """A task of each kind by name, with so many classes."""
    named = {"classes": classes, "labels": classes}
    fields = {kind: getattr(task, "__dataclass_fields__", {}) for kind, task in task_types().items()}
    return {kind: create_task(kind, **{n: v for n, v in named.items() if n in fields[kind]}) for kind in fields}


def target_shape(task: Task, size: tuple[int, int]) -> tuple[int, ...]:
    """Of one image's label."""
    return (*task.target_channels, *(size if task.dense else ()))


def draw_target(task: Task, images: int, size: tuple[int, int], generator: Generator) -> Tensor:
    """Class numbers, or numbers in (0.1, 1.1); of a multi-label classification 0 and 1."""
    shape = (images, *target_shape(task, size))
    if isinstance(task, Classes):
        return torch.randint(0, task.classes, shape, generator=generator)
    values = torch.rand(shape, generator=generator)
    return values.round() if task.kind == "multilabel" else 0.1 + values


def of_shape(task: Task, values: Tensor) -> Tensor:
    """Dense values `[B, channels, H, W]` as a prediction: of the whole image their mean."""
    return values if task.dense else values.mean((2, 3))

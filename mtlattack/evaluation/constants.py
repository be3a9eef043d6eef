"""The best constant answers to the images of a run: what skill is measured against."""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.data import LabelledImages
from mtlattack.tasks import TaskMap

Constants = Mapping[str, list[float]]


def best_constants(data: LabelledImages) -> dict[str, list[float]]:
    """By task the answer `[channels]`, the same at every pixel of every image, that is best on the labels of `data`.

    InputError for a task of which no image has a valid pixel: nothing could be said of it.
    """
    return {name: task.best_constant(data.label_batches(name)).tolist() for name, task in data.tasks.items()}


def constant_statistics(tasks: TaskMap, constants: Constants, targets: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Statistics `[B, S]` by task of these answers to a batch of targets."""
    with torch.inference_mode():
        return {name: _statistics(task, constants[name], targets[name]) for name, task in tasks.items()}


def _statistics(task: Any, constant: list[float], target: Tensor) -> NDArray[Any]:
    answer = torch.tensor(constant, dtype=torch.float32, device=target.device)
    return task.statistics(task.spread(answer, target), target).cpu().numpy()  # type: ignore[no-any-return]

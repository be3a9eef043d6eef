"""Labels that would be taken for an index that there is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtlattack.errors import InputError
from mtlattack.lazily import torch
from mtlattack.tasks.base import Task
from mtlattack.tasks.joint import JointTask, alone

if TYPE_CHECKING:
    from torch import Tensor


def check_classes(name: str, task: Task | JointTask, target: Tensor) -> None:
    """InputError where a batch's target `[B, …]` is to hold classes and does not: a GPU would end the process over it.

    Any other label that is none counts for nothing; what else may be wrong with those of a data set says `Task.fault`.
    """
    task = alone(task)
    wanted = getattr(torch, task.target_dtype)
    if wanted.is_floating_point:
        return
    if target.dtype != wanted:
        raise InputError(f"target {name!r} is {target.dtype}, expected {wanted}: a class a pixel")
    if task.fault(target) is not None:
        row, fault = next((row, fault) for row, one in enumerate(target) if (fault := task.fault(one)) is not None)
        raise InputError(f"target {name!r} of image {row} of the batch has {fault}")

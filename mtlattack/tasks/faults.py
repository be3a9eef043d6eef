"""Labels that would be taken for an index that there is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mtlattack.errors import InputError
from mtlattack.lazily import torch
from mtlattack.tasks.base import Task
from mtlattack.tasks.joint import JointTask, alone

if TYPE_CHECKING:
    from torch import Tensor


def check_classes(name: str, task: Task | JointTask, target: Tensor) -> None:
    """InputError where a batch's target `[B, …]` is to hold classes and does not.

    Any other label that is none counts for nothing; what else may be wrong with those of a data set says `Task.fault`.
    """
    task = alone(task)
    # Of what is no Task an attack asks for a loss alone.
    wanted = getattr(torch, getattr(task, "target_dtype", "float32"))
    if wanted.is_floating_point:
        return
    if target.dtype != wanted:
        raise InputError(
            f"target {name!r} is {target.dtype}, expected {wanted}: a class {'a pixel' if task.dense else 'an image'}"
        )
    if task.fault(target) is not None:
        row, fault = next((row, fault) for row, one in enumerate(target) if (fault := task.fault(one)) is not None)
        raise InputError(f"target {name!r} of image {row} of the batch has {fault}")


@contextmanager
def labels_in_words(tasks: Mapping[str, Task | JointTask], targets: Mapping[str, Tensor]) -> Iterator[None]:
    """Inside, what torch raises over labels that cannot be becomes an InputError.

    They are looked at only then; on CUDA before, which waits for it: there a class that there is not ends not an
    operation but all that the process does on the device.
    """
    for name, task in tasks.items():
        if _ends_a_device(targets[name]):
            check_classes(name, task, targets[name])
    try:
        yield
    except (IndexError, RuntimeError) as error:
        from mtlattack.devices import is_out_of_memory  # With torch, which is not loaded to read numbers.

        if not is_out_of_memory(error):
            for name, task in tasks.items():
                check_classes(name, task, targets[name])
        raise


def _ends_a_device(index: Tensor) -> bool:
    return index.is_cuda

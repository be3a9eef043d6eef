"""Somebody's labels as a task's targets."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.data.own.arrays import as_tensor, channels_first
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.tasks import Task, TaskMap


def targets_by_task(targets: Any, tasks: TaskMap, what: str) -> Mapping[str, Any]:
    """The labels of an image by name; those of one task may stand alone. InputError for what is neither."""
    if isinstance(targets, Mapping):
        return targets
    if len(tasks) == 1:
        return dict.fromkeys(tasks, targets)
    raise InputError(f"the labels of {what} are a {type(targets).__name__}, expected them by task: {', '.join(tasks)}")


def target_of(task: Task, name: str, targets: Mapping[str, Any], size: tuple[int, int], what: str) -> Tensor:
    """The target `[*target_channels, H, W]` of an image of this size, or of a whole image `[*target_channels]`.

    UnknownNameError where there is none, InputError for one of another shape, and for numbers of a type that leaves
    open what they mean. Which numbers they may be says `Task.fault`.
    """
    if name not in targets:
        raise UnknownNameError(f"label of {what}:", name, [str(key) for key in targets])
    what = f"{name} of {what}"
    values = as_tensor(targets[name], what)
    if not task.dense:
        return _of_the_whole(task, values, what)
    if task.target_channels:
        values = channels_first(values, task.target_channels[0], what)
    elif values.ndim == 3:
        values = channels_first(values, 1, what)[0]
    expected = (*task.target_channels, *size)
    if tuple(values.shape) != expected:
        raise InputError(f"{what} has shape {tuple(values.shape)}, expected {expected} as its image has")
    return _typed(task, values, what)


def _of_the_whole(task: Task, values: Tensor, what: str) -> Tensor:
    expected = task.target_channels
    if values.numel() != math.prod(expected) or values.ndim > max(1, len(expected)):
        raise InputError(f"{what} has shape {tuple(values.shape)}, expected {expected}: it is one of the whole image")
    # What is counted, or true or false, comes as whole numbers as well.
    number = getattr(torch, task.target_dtype).is_floating_point
    return _typed(task, values.float() if number else values, what).reshape(expected)


def stored_form(task: Task, target: Tensor) -> tuple[NDArray[Any], float]:
    """The target as a prepared file has it, with its scale, where that loses nothing; else as it is."""
    stored = task.as_stored(target)
    if stored is not None:
        return stored
    return (target.movedim(0, -1) if task.target_channels else target).numpy(), 1


def _typed(task: Task, values: Tensor, what: str) -> Tensor:
    wanted = getattr(torch, task.target_dtype)
    if values.is_floating_point() != wanted.is_floating_point or values.dtype == torch.bool:
        place = "a pixel" if task.dense else "an image"
        meant = f"a class {place}" if not wanted.is_floating_point else "floating-point numbers in the task's unit"
        raise InputError(f"{what} is {str(values.dtype).removeprefix('torch.')}, expected {meant}{_example(values)}")
    return values.to(wanted).contiguous()


def _example(values: Tensor) -> str:
    values = values.flatten()
    odd = values[values != values.round()] if values.is_floating_point() else values
    return f" (it holds {odd[0].item():.6g})" if len(odd) else ""

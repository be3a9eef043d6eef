"""Which task a stored label serves."""

from collections.abc import Mapping
from typing import Any

import h5py
import torch
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.hdf5 import attributes_of
from mtlattack.tasks import Segmentation, Task, task_types

IGNORE: int = Segmentation.ignore


def stored_task(name: str, label: h5py.Dataset) -> Task | None:
    """The task that a stored label serves; None for a name that is no task's.

    A second segmentation of the same images carries its class count in its name (`segmentation40`).
    """
    try:
        return task_of(name, attributes_of(label))
    except InputError as error:
        raise InputError(f"{label.file.filename}: {label.name} has {error}") from None


def task_of(name: str, attributes: Mapping[str, Any]) -> Task | None:
    """The task of a label of this name with these attributes; None for a name that is no task's, InputError if they
    lack what it needs."""
    kind = next((kind for kind in task_types().values() if kind.serves(name)), None)
    return None if kind is None else kind.from_stored(attributes)


def valid_places(task: Task, target: Tensor) -> Tensor:
    """Which pixels of one image's target, `[…, H, W]`, count, `[H, W]`; of whole images one place, or one a label."""
    anything = task.spread(torch.zeros(task.channels), target[None])
    return task.pixel_losses(anything, target[None])[1][0]

"""Which task a stored label serves."""

import h5py
import torch
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.tasks import Segmentation, Task, task_types

IGNORE: int = Segmentation.ignore


def stored_task(name: str, label: h5py.Dataset) -> Task | None:
    """The task that a stored label serves; None for a name that is no task's.

    A second segmentation of the same images carries its class count in its name (`segmentation40`).
    """
    kind = next((kind for kind in task_types().values() if kind.serves(name)), None)
    try:
        return None if kind is None else kind.from_stored(label.attrs)
    except InputError as error:
        raise InputError(f"{label.file.filename}: {label.name} has {error}") from None


def valid_pixels(task: Task, target: Tensor) -> int:
    """How many pixels of one image's target, `[…, H, W]`, count; of whole images how many labels, most often one."""
    # Column 0 of every task's statistics is their number, whatever is predicted.
    anything = task.spread(torch.zeros(task.channels), target[None])
    return int(task.statistics(anything, target[None])[0, 0])

"""How a label is stored in a prepared file, and how it is read back as a task's target."""

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.tasks import Segmentation, Task, create_task, list_tasks

IGNORE = 255


def stored_task(name: str, label: h5py.Dataset) -> Task | None:
    """The task that a stored label serves; None for a name that is no task's.

    A second segmentation of the same images carries its class count in its name (`segmentation40`).
    """
    kind = name.rstrip("0123456789") if name.startswith("segmentation") else name
    if kind not in list_tasks():
        return None
    return Segmentation(classes=class_count(label), ignore=IGNORE) if kind == "segmentation" else create_task(kind)


def class_count(label: h5py.Dataset) -> int:
    """Number of classes of a stored segmentation: its attribute `classes` holds the names, or the number itself."""
    classes = label.attrs.get("classes")
    if classes is None:
        raise InputError(f"{label.file.filename}: {label.name} has no attribute 'classes'")
    return len(classes) if np.ndim(classes) else int(classes)


def decode(task: Task, raw: NDArray[Any], attributes: Mapping[str, Any]) -> Tensor:
    """A stored label of one image as the task's target: int64 classes, or float32 in the task's unit.

    A number that the attribute `invalid` names is NaN, unless it is 0: 0 is no depth as it stands.
    Raises InputError for a class number the task does not have, and for a label without the `scale` that it needs.
    """
    if isinstance(task, Segmentation):
        wrong = raw[(raw >= task.classes) & (raw != task.ignore)]
        if wrong.size:
            raise InputError(f"class {wrong[0]} in a segmentation of {task.classes} classes (255 = ignore)")
        return torch.from_numpy(raw.astype(np.int64))
    if task.kind == "normals":
        return torch.from_numpy(raw.astype(np.float32).transpose(2, 0, 1) / 127)
    if "scale" not in attributes:
        raise InputError(f"{task.name} has no attribute 'scale'")
    values = raw.astype(np.float32) * np.float32(attributes["scale"])
    if attributes.get("invalid"):
        values[raw == attributes["invalid"]] = np.nan
    return torch.from_numpy(values.transpose(2, 0, 1) if task.target_channels else values)


def has_valid_pixel(task: Task, target: Tensor) -> bool:
    """Whether any pixel of one image's target, `[…, H, W]`, counts."""
    # Column 0 of every task's statistics is their number, whatever is predicted.
    anything = torch.zeros(1, task.channels, *target.shape[-2:])
    return bool(task.statistics(anything, target[None])[0, 0] > 0)

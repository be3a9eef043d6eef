"""What an attack refuses: each message names the thing, its value and what was expected."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.tasks import Task
from mtlattack.wording import counted


def tasks_of(model: object) -> Mapping[str, Task]:
    """The tasks that a model says it has; InputError if it says nothing."""
    tasks = getattr(model, "tasks", None)
    if not isinstance(tasks, Mapping) or not tasks:
        raise InputError(
            f"model {type(model).__name__} has no `tasks` (a mapping of task names to tasks): wrap it first"
        )
    return tasks


def check_images(images: Tensor) -> None:
    """InputError unless float32 `[B, 3, H, W]`, B ≥ 1, finite and in [0, 1]."""
    if not isinstance(images, Tensor):
        raise InputError(f"images are a {type(images).__name__}, expected a tensor [B, 3, H, W]")
    if images.ndim != 4 or images.shape[1] != 3 or images.numel() == 0:
        raise InputError(f"images have shape {tuple(images.shape)}, expected [B, 3, H, W]")
    if images.dtype != torch.float32:
        raise InputError(f"images are {images.dtype}, expected torch.float32 in [0, 1]")
    low, high = torch.stack(images.detach().aminmax()).tolist()  # one wait for the device, not two
    if not (0 <= low and high <= 1):
        values = "NaN" if low != low else f"values from {low:g} to {high:g}"
        raise InputError(f"images hold {values}, expected finite values in [0, 1]")


def check_targets(tasks: Mapping[str, Task], targets: Mapping[str, Tensor], batch: int) -> None:
    """InputError unless there is one target a task, each for as many images."""
    for name in tasks:
        if name not in targets:
            raise InputError(f"no target for task {name!r}; there are targets for: {', '.join(targets) or 'none'}")
        if targets[name].ndim == 0 or len(targets[name]) != batch:
            raise InputError(
                f"target {name!r} has shape {tuple(targets[name].shape)}, expected {counted(batch, 'image')}"
            )


def check_ids(ids: Sequence[str | int] | Tensor | None, batch: int) -> Sequence[str | int]:
    """The names of the images, their positions by default; InputError unless there is one an image."""
    if ids is None:
        return range(batch)
    names: list[str | int] = ids.tolist() if isinstance(ids, Tensor) else list(ids)
    if len(names) != batch:
        raise InputError(f"{counted(len(names), 'id')} for {counted(batch, 'image')}")
    return names


def check_predictions(predictions: Mapping[str, Tensor], tasks: Iterable[str]) -> None:
    """InputError unless a model has predicted all of these tasks."""
    for name in tasks:
        if name not in predictions:
            raise InputError(f"the model predicts {', '.join(predictions)}, not its task {name!r}")

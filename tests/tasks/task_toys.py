"""Random predictions and targets for every task, with invalid pixels of every sort."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.tasks import Segmentation, Task, create_task, list_tasks

TASKS: dict[str, Task] = {
    kind: Segmentation(5) if kind == "segmentation" else create_task(kind) for kind in list_tasks()
}
POSITIVE = ("depth", "depth_euclidean", "inverse_depth")
"""Kinds whose targets ≤ 0 are invalid."""
_NAN, _INF = float("nan"), float("inf")
INVALID = {
    "segmentation": (255,),
    "normals": (0.0,),
    "edge_texture": (_NAN, _INF),
    "keypoints2d": (_NAN, -_INF),
    "reshading": (_NAN, _INF),
    "principal_curvature": (_NAN, _INF),
    **dict.fromkeys(POSITIVE, (0.0, -1.0, _NAN, _INF, -_INF)),
}


def random_pair(name: str, seed: int, batch: int = 4, size: tuple[int, int] = (7, 9)) -> tuple[Tensor, Tensor]:
    """A prediction as an untrained network could make it, and a target; about a fifth of the pixels invalid."""
    task, generator = TASKS[name], torch.Generator().manual_seed(seed)
    prediction = torch.randn(batch, task.channels, *size, generator=generator)
    if name == "segmentation":
        target = torch.randint(0, task.channels, (batch, *size), generator=generator)
    elif name == "normals":
        target = torch.nn.functional.normalize(torch.randn(batch, 3, *size, generator=generator), dim=1)
        prediction = prediction + 2 * target  # Small angles too.
    elif name in POSITIVE:
        target = 0.5 + 4 * torch.rand(batch, *size, generator=generator)
        prediction[:, 0] = target * (1 + 0.7 * prediction[:, 0])  # Inliers of each degree, and negative depths.
    else:
        target = torch.rand(batch, *task.target_channels, *size, generator=generator)
    draw = torch.rand(batch, *size, generator=generator)
    for k, value in enumerate(INVALID[name]):
        chosen = (draw > 0.2 * k / len(INVALID[name])) & (draw < 0.2 * (k + 1) / len(INVALID[name]))
        target = torch.where(chosen[:, None] if task.target_channels else chosen, value, target)
    return prediction, target


def valid_pixels(name: str, prediction: Tensor, target: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as float64 arrays, `[pixels, channels]` or `[pixels]`; the invalid ones left out, by hand."""
    p = prediction.double().numpy().transpose(0, 2, 3, 1).reshape(-1, prediction.shape[1])
    if name in ("normals", "principal_curvature"):
        t = target.double().numpy().transpose(0, 2, 3, 1).reshape(-1, target.shape[1])
        keep = np.abs(t).sum(1) > 0 if name == "normals" else np.isfinite(t).all(1)
    else:
        t = target.double().numpy().reshape(-1)
        positive = np.isfinite(t) & (t > 0)
        keep = {"segmentation": t != 255, **dict.fromkeys(POSITIVE, positive)}.get(name, np.isfinite(t))
    return p[keep], t[keep]


def metrics_of(task: Task, prediction: Tensor, target: Tensor) -> dict[str, float]:
    """The metrics over a whole batch."""
    total = task.statistics(prediction, target).double().sum(0).numpy()
    return {name: float(value) for name, value in task.metrics(total).items()}

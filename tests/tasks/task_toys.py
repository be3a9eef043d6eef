"""Random predictions and targets for every task, with invalid pixels of every sort."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.tasks import Depth, EdgeTexture, Keypoints2D, Normals, Segmentation, Task

TASKS: dict[str, Task] = {t.name: t for t in (Segmentation(5), Depth(), Normals(), EdgeTexture(), Keypoints2D())}
INVALID = {
    "segmentation": (255,),
    "depth": (0.0, -1.0, float("nan"), float("inf"), float("-inf")),
    "normals": (0.0,),
    "edge_texture": (float("nan"), float("inf")),
    "keypoints2d": (float("nan"), float("-inf")),
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
    elif name == "depth":
        target = 0.5 + 4 * torch.rand(batch, *size, generator=generator)
        prediction[:, 0] = target * (1 + 0.7 * prediction[:, 0])  # Inliers of each degree, and negative depths.
    else:
        target = torch.rand(batch, *size, generator=generator)
    draw = torch.rand(batch, *size, generator=generator)
    for k, value in enumerate(INVALID[name]):
        chosen = (draw > 0.2 * k / len(INVALID[name])) & (draw < 0.2 * (k + 1) / len(INVALID[name]))
        target = torch.where(chosen[:, None] if name == "normals" else chosen, value, target)
    return prediction, target


def valid_pixels(name: str, prediction: Tensor, target: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as float64 arrays `[pixels, channels]`, `[pixels]` or `[pixels, 3]`; the invalid ones left out, by hand."""
    p = prediction.double().numpy().transpose(0, 2, 3, 1).reshape(-1, prediction.shape[1])
    if name == "normals":
        t = target.double().numpy().transpose(0, 2, 3, 1).reshape(-1, 3)
        keep = np.abs(t).sum(1) > 0
    else:
        t = target.double().numpy().reshape(-1)
        keep = {"segmentation": t != 255, "depth": np.isfinite(t) & (t > 0)}.get(name, np.isfinite(t))
    return p[keep], t[keep]


def metrics_of(task: Task, prediction: Tensor, target: Tensor) -> dict[str, float]:
    """The metrics over a whole batch."""
    total = task.statistics(prediction, target).double().sum(0).numpy()
    return {name: float(value) for name, value in task.metrics(total).items()}

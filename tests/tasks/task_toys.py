"""One row a kind of task: random labels with invalid pixels of every sort, and what is known of the kind.

A new kind is tested by a row here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from mtlattack.tasks import Classes, Classification, MultiLabel, Scalar, Segmentation, Task, create_task, list_tasks

Draw = Callable[[tuple[int, ...], Generator], Tensor]
_NAN, _INF = float("nan"), float("inf")


@dataclass(frozen=True)
class Row:
    """What tests need of a kind of task: valid labels, `[B, *target_channels, H, W]`, and what is to be found.

    Those of whole images are `[B, *target_channels]`.
    """

    task: Task
    draw: Draw
    invalid: tuple[float, ...]
    """Values of an invalid pixel, in every channel."""
    near: Callable[[Tensor, Tensor], Tensor] = lambda noise, target: noise
    """A prediction `[B, channels, H, W]` from noise and labels, so that metrics are not all at their ends."""
    known: Callable[[NDArray[Any]], NDArray[np.bool_]] = lambda t: np.isfinite(t).all(1)
    """Which of the float64 labels `[pixels, max(1, channels of a label)]` are valid, by hand."""
    zoom_power: int = 0
    """By which power of the factor labels change when things look nearer."""
    stored: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of a stored label."""
    faulty: tuple[tuple[int, ...], str] | None = None
    """Stored numbers of one pixel that are none of this kind, and what is said of them."""


def uniform(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator)


def distances(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return 0.5 + 4 * uniform(shape, generator)


def directions(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(shape, generator=generator), dim=1)


def classes(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.randint(0, 5, shape, generator=generator)


def answers(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.randint(0, 2, shape, generator=generator).float()


def positive(labels: NDArray[Any]) -> NDArray[np.bool_]:
    return (np.isfinite(labels) & (labels > 0)).all(1)


def around(noise: Tensor, target: Tensor) -> Tensor:
    """Inliers of each degree, and negative distances."""
    return target[:, None] * (1 + 0.7 * noise)


DISTANCE = {"draw": distances, "invalid": (0.0, -1.0, _NAN, _INF, -_INF), "near": around, "known": positive}
MILLIMETRES = {"scale": 0.001, "unit": "metre", "invalid": 0}
SHARE = {"scale": 1 / 1000, "invalid": 65535}
TOO_MUCH = ((1200,), "value 1.2, expected at most 1")

ROWS: dict[str, Row] = {
    "segmentation": Row(
        Segmentation(5),
        classes,
        invalid=(255,),
        known=lambda t: t[:, 0] != 255,
        stored={"classes": 5},
        faulty=((7,), "class 7, expected 0 to 4 or 255"),
    ),
    "depth": Row(create_task("depth"), **DISTANCE, zoom_power=-1, stored=MILLIMETRES),
    "depth_euclidean": Row(create_task("depth_euclidean"), **DISTANCE, zoom_power=-1, stored=MILLIMETRES),
    "inverse_depth": Row(create_task("inverse_depth"), **DISTANCE, zoom_power=1, stored={"scale": 1e-4, "invalid": 0}),
    "normals": Row(
        create_task("normals"),
        directions,
        invalid=(0.0,),
        near=lambda noise, target: noise + 2 * target,  # Small angles too.
        known=lambda t: np.abs(t).sum(1) > 0,
        faulty=((60, 0, 0), "a normal of length 0.472, expected 1 or 0"),
    ),
    "edge_texture": Row(create_task("edge_texture"), uniform, invalid=(_NAN, _INF), stored=SHARE, faulty=TOO_MUCH),
    "keypoints2d": Row(create_task("keypoints2d"), uniform, invalid=(_NAN, -_INF), stored=SHARE, faulty=TOO_MUCH),
    "reshading": Row(create_task("reshading"), uniform, invalid=(_NAN, _INF), stored=SHARE, faulty=TOO_MUCH),
    "principal_curvature": Row(
        create_task("principal_curvature"),
        uniform,
        invalid=(_NAN, _INF),
        stored={"scale": 1 / 4096, "invalid": -32768},
        faulty=((-32768, 4), "a pixel with one curvature alone"),
    ),
    "classification": Row(
        Classification(5),
        classes,
        invalid=(-1,),
        known=lambda t: t[:, 0] >= 0,
        stored={"classes": 5},
        faulty=((7,), "class 7, expected 0 to 4 or -1"),
    ),
    "multilabel": Row(
        MultiLabel(6),
        answers,
        invalid=(_NAN, -1.0, -_INF),
        known=lambda t: np.isfinite(t[:, 0]) & (t[:, 0] >= 0),
        stored={"classes": 6},
        faulty=((2,) * 6, "the label 2, expected 0, 1 or -1"),
    ),
    "scalar": Row(
        Scalar("m²"),
        lambda shape, generator: 3 * torch.randn(shape, generator=generator),
        invalid=(_NAN, _INF),
        stored={"options": '{"unit": "m²"}'},
    ),
}
assert set(ROWS) == set(list_tasks()), "a kind of task without a row"

TASKS: dict[str, Task] = {kind: row.task for kind, row in ROWS.items()}
INVALID = {kind: row.invalid for kind, row in ROWS.items()}
POSITIVE = tuple(kind for kind, row in ROWS.items() if row.known is positive)
"""Kinds whose targets ≤ 0 are invalid."""


def random_pair(name: str, seed: int, batch: int = 4, size: tuple[int, int] = (7, 9)) -> tuple[Tensor, Tensor]:
    """A prediction as an untrained network could make it, and a target; about a fifth of the pixels invalid."""
    return pair_of(ROWS[name], seed, batch, size)


def pair_of(row: Row, seed: int, batch: int = 4, size: tuple[int, int] = (7, 9)) -> tuple[Tensor, Tensor]:
    """`random_pair` of any row."""
    task, generator = row.task, torch.Generator().manual_seed(seed)
    noise = torch.randn(batch, *task.prediction_shape(size), generator=generator)
    target = row.draw((batch, *task.target_channels, *(size if task.dense else ())), generator)
    prediction = row.near(noise, target)
    if task.dense or task.target_channels:
        draw = torch.rand(
            target[:, 0].shape if task.dense and task.target_channels else target.shape, generator=generator
        )
    else:
        draw = 0.15 + 0.7 * ((torch.arange(batch) + seed) % 4 != 1)  # One of four images.
    for k, value in enumerate(row.invalid):
        chosen = (draw > 0.2 * k / len(row.invalid)) & (draw < 0.2 * (k + 1) / len(row.invalid))
        target = torch.where(chosen[:, None] if task.dense and task.target_channels else chosen, value, target)
    return prediction, target


def lifted(task: Task, values: Tensor) -> Tensor:
    """Predictions or labels of whole images as if they were dense ones, `[B, channels, h, w]`: a pixel an image, or
    one a label where these are known one by one. Dense ones as they are, with a channel at least."""
    if task.dense:
        return values if values.ndim == 4 else values[:, None]
    return values[:, None, :, None] if task.target_channels else values.reshape(len(values), -1, 1, 1)


def valid_places(row: Row, target: Tensor) -> NDArray[np.bool_]:
    """Which places have a label, bool `[B, h, w]`, by hand."""
    channels = lifted(row.task, target).double().numpy().transpose(0, 2, 3, 1)
    return row.known(channels.reshape(-1, channels.shape[-1])).reshape(channels.shape[:-1])


def valid_pixels(name: str, prediction: Tensor, target: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as float64 arrays, `[pixels, channels]` or `[pixels]`; the invalid ones left out, by hand."""
    row = ROWS[name]
    p, t = (lifted(row.task, x).double().numpy().transpose(0, 2, 3, 1) for x in (prediction, target))
    p, t = p.reshape(-1, p.shape[-1]), t.reshape(-1, t.shape[-1])
    keep = row.known(t)
    return p[keep], (t if row.task.dense and row.task.target_channels else t[:, 0])[keep]


def truth_of(name: str, target: Tensor) -> Tensor:
    """A prediction that is right wherever there is a label."""
    task = TASKS[name]
    if isinstance(task, Classes):
        return 2.0 * torch.nn.functional.one_hot(torch.where(target == task.ignore, 0, target), 5).movedim(-1, 1)
    if isinstance(task, MultiLabel):
        return target.nan_to_num() - 0.5
    return target.nan_to_num(1, 1, 1).reshape(len(target), *task.prediction_shape(tuple(target.shape[-2:])))


def metrics_of(task: Task, prediction: Tensor, target: Tensor) -> dict[str, float]:
    """The metrics over a whole batch."""
    total = task.statistics(prediction, target).double().sum(0).numpy()
    return {name: float(value) for name, value in task.metrics(total).items()}

"""What a task is: a loss per image, additive statistics per image, and metrics computed from their sums."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.tasks.doubts import Doubt


@dataclass(frozen=True)
class Metric:
    """One number that a task is judged by: its unit, and whether more is better.

    `maximum` is the best value that a score can have; an error has none, for its best is 0.
    """

    name: str
    unit: str
    higher_is_better: bool
    maximum: float | None = None

    def __post_init__(self) -> None:
        if self.higher_is_better != (self.maximum is not None):
            raise InputError(
                f"metric {self.name}: maximum {self.maximum}, expected one for a score and none for an error"
            )

    def skill(self, value: ArrayLike, constant: ArrayLike) -> NDArray[np.float64]:
        """How much better `value` is than that of the best constant answer, elementwise: 1 perfect, 0 no better.

        1 − e/e_constant for an error, (s − s_constant)/(maximum − s_constant) for a score; below 0 what is worse than
        the constant, NaN where that is perfect itself or where one of both is NaN.
        """
        value, constant = np.asarray(value, np.float64), np.asarray(constant, np.float64)
        best = 0.0 if self.maximum is None else self.maximum
        return divide(constant - value, constant - best) + 0.0  # 0 and not −0 for the constant itself.


class Task(ABC):
    """One thing predicted from an image.

    Predictions are `[B, channels, H, W]`; targets have the shape and dtype that the task's page says. Losses are
    means over the valid pixels of each image, and 0 (with zero gradient) for an image that has none.

    `statistics` are additive: summed over any set of images they give every metric of that set, so subsets, shards,
    batch sizes and bootstrap resamples need no second pass. Column 0 is always the number of valid pixels.
    """

    kind: ClassVar[str]
    metric_table: ClassVar[tuple[Metric, ...]]
    target_channels: ClassVar[tuple[int, ...]] = ()

    @property
    def name(self) -> str:
        """Key of this task in predictions, targets and evidence."""
        return self.kind

    @property
    def short_title(self) -> str:
        """The name where columns are narrow."""
        return self.name

    @property
    def headline(self) -> str:
        """Name of the metric that stands for the task where there is room for one: by default the first."""
        return self.metric_table[0].name

    @property
    def headline_metric(self) -> Metric:
        """The metric that `headline` names."""
        return next(metric for metric in self.metric_table if metric.name == self.headline)

    @property
    @abstractmethod
    def channels(self) -> int:
        """Output channels of a head for this task."""

    @property
    @abstractmethod
    def statistics_names(self) -> tuple[str, ...]:
        """Names of the S columns of `statistics`."""

    @abstractmethod
    def pixel_losses(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Differentiable loss of each pixel and whether it counts, `[B, H, W]` both; finite where it counts."""

    @abstractmethod
    def similarity(self, prediction: Tensor, target: Tensor) -> Tensor:
        """How alike both are at each pixel, `[B, H, W]` in [0, 1], 1 where they agree; no account on invalid pixels."""

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Differentiable loss per image, `[B]`, non-negative: the mean of the pixel losses that count."""
        return masked_mean(*self.pixel_losses(prediction, target))

    @abstractmethod
    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Additive statistics per image, `[B, S]` float32 (counts stay exact below 2²⁴ pixels an image)."""

    @abstractmethod
    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        """Metrics from summed statistics `[..., S]`, each `[...]`; NaN where no valid pixel was seen."""

    @abstractmethod
    def best_constant(self, targets: Iterable[Tensor]) -> Tensor:
        """The one prediction `[channels]`, float32, the same at every pixel, that is best for the headline metric.

        `targets` are batches of labels; what is kept of them grows with the number of distinct values alone, and the
        answer does not depend on how they are cut into batches. Raises InputError if no pixel of them is valid.
        """

    def skill(self, value: ArrayLike, constant: ArrayLike) -> NDArray[np.float64]:
        """Skill of a value of the headline metric, given that of the best constant answer (`Metric.skill`)."""
        return self.headline_metric.skill(value, constant)

    def look(self, prediction: Tensor, target: Tensor) -> dict[str, float]:
        """What `doubts` judges, from predictions and labels of the first images: numbers, none if there is no hint."""
        return {}

    def doubts(self, seen: Mapping[str, float]) -> list[Doubt]:
        """Flags, each with a sentence, that what `look` has seen raises: labels and predictions in other scales."""
        return []

    def config(self) -> dict[str, Any]:
        """What `create_task` needs to make this task again; plain JSON types."""
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]


def check_aligned(task: Task, prediction: Tensor, target: Tensor) -> None:
    """Refuse a target that is not `[B, *target_channels, H, W]`, and a prediction that is not `[B, channels, H, W]`."""
    check_target(task, target)
    batch, (height, width) = target.shape[0], target.shape[-2:]
    expected = (batch, task.channels, height, width)
    if tuple(prediction.shape) != expected:
        raise InputError(f"{task.name}: prediction has shape {tuple(prediction.shape)}, expected {expected}")


def check_target(task: Task, target: Tensor) -> None:
    """Refuse a target that is not `[B, *target_channels, H, W]`."""
    if target.ndim != 3 + len(task.target_channels) or tuple(target.shape[1:-2]) != task.target_channels:
        wanted = ", ".join(map(str, ("B", *task.target_channels, "H", "W")))
        raise InputError(f"{task.name}: target has shape {tuple(target.shape)}, expected ({wanted})")


def no_valid_pixel(task: Task, images: int) -> InputError:
    """The error of a task whose labels say nothing about any of so many images."""
    return InputError(f"{task.name}: none of the {images} images has a valid pixel, expected labels or to leave it out")


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of `values` `[B, H, W]` over each image's valid pixels, `[B]`; 0 where an image has none."""
    return sum_of_image(torch.where(valid, values, 0.0)) / valid.sum((1, 2)).clamp_min(1)


def sum_of_image(values: Tensor) -> Tensor:
    """Sum over each image of `[B, H, W]`, `[B]`, the same whatever else is in the batch."""
    # By row first: the sum over a lone image, and over that alone, would be split over the threads.
    return values.sum(2).sum(1)


def is_finite(values: Tensor) -> Tensor:
    """As `torch.isfinite`, by arithmetic on floats, which takes a CPU a quarter of the time."""
    return (values * 0.0).eq_(0).bool()


def divide(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """Elementwise quotient in float64, NaN where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.full(shape, np.nan), where=denominator != 0)


TaskMap = Mapping[str, Task]

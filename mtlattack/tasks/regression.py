"""What the tasks that regress numbers by L1 share: which pixels count, the loss, and the errors' sums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError
from mtlattack.lazily import torch
from mtlattack.tasks.base import Task, check_aligned, check_target, is_finite, no_valid_pixel, sum_of_image
from mtlattack.tasks.contradictions import ROUNDING, Array, Contradiction, somewhere
from mtlattack.tasks.goals import Goal, check_factor, read_factor
from mtlattack.tasks.metric import Metric, divide
from mtlattack.tasks.painting import Painting, paint_scale
from mtlattack.tasks.tally import Tally, weighted_median

if TYPE_CHECKING:
    from torch import Tensor


class Regression(Task):
    """L1 over valid pixels, or images if it is not `dense`; targets as `target_channels` says.

    The error of a pixel with several channels is the mean over them, and the only metric, unless a task has more.
    """

    metric_table: ClassVar[tuple[Metric, ...]] = (Metric("l1", "", False),)
    goal_forms: ClassVar[tuple[str, ...]] = ("x1.5",)
    positive_factor: ClassVar[bool | None] = None
    """Whether labels may be multiplied by what is above 0, by what is at least 0 (False), or by anything."""
    stored_unit: ClassVar[str] = ""
    """What a prepared file calls the unit of its numbers times `scale`."""
    stored_step: ClassVar[float] = 0.001
    """What a prepared file tells apart, unless its maker says otherwise."""
    least_step: ClassVar[float] = 0.0
    """The smallest step with which all values fit."""
    stored_invalid: ClassVar[int] = 65535
    """The stored number of an invalid pixel."""

    @property
    def statistics_names(self) -> tuple[str, ...]:
        return ("pixels", "abs_sum")

    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        pixels, absolute = np.moveaxis(np.asarray(statistics_sum, np.float64), -1, 0)
        return {"l1": divide(absolute, pixels)}

    @property
    def channels(self) -> int:
        """As many as a label has, by default."""
        return prod(self.target_channels)

    def valid(self, target: Tensor) -> Tensor:
        """Which pixels count, bool `[B, H, W]`, or which images, `[B]`; by default those that are finite."""
        return is_finite(target).all(1) if self.target_channels else is_finite(target)

    def pixel_losses(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        check_aligned(self, prediction, target)
        error, valid = self._errors(prediction, target)
        return self.places(error), self.places(valid)

    def similarity(self, prediction: Tensor, target: Tensor) -> Tensor:
        """2⟨p, t⟩/(‖p‖² + ‖t‖²), not below 0: the cosine of (p, t) and (t, p), which knows no unit."""
        check_aligned(self, prediction, target)
        true = known(prediction, target, self.valid(target))
        size = (prediction.square() + true.square()).sum(1)
        alike = 2 * (prediction * true).sum(1) / torch.where(size > 0, size, 1.0)
        return self.places(torch.where(size > 0, alike.clamp_min(0), 1.0))

    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        check_aligned(self, prediction, target)
        error, valid = self._errors(prediction, target)
        columns = [error, *self._more_columns(prediction, target, error)]
        sums = (sum_of_image(self.places(torch.where(valid, column, 0))).float() for column in columns)
        return torch.stack([self.places(valid).sum((1, 2)).float(), *sums], 1)

    def best_constant(self, targets: Iterable[Tensor]) -> Tensor:
        """The median of each channel over the valid pixels, weighted as the headline metric weights their errors."""
        tallies, images = [Tally() for _ in range(self.channels)], 0
        for target in targets:
            check_target(self, target)
            planes = target.reshape(len(target), self.channels, -1).unbind(1)
            valid = self.valid(target).reshape(len(target), -1)
            for tally, plane in zip(tallies, planes, strict=True):
                tally.add(plane[valid][:, None])
            images += len(target)
        counted = [tally.counted() for tally in tallies]
        if not len(counted[0][0]):
            raise no_valid_pixel(self, images)
        return torch.tensor([self._median(values[:, 0], counts) for values, counts in counted])

    def constants(self, target: Tensor) -> Tensor:
        """The median of each channel over the valid pixels of an image, the lower of two: no look from the host."""
        planes = target.reshape(len(target), self.channels, -1)
        valid = self.valid(target).reshape(len(target), 1, -1)
        ascending = torch.where(valid, planes, torch.inf).sort(-1).values
        middle = (valid.sum(-1, keepdim=True) - 1).clamp_min(0) // 2
        medians = ascending.gather(-1, middle.expand(-1, self.channels, -1)).squeeze(-1)
        return torch.where(medians.isfinite(), medians, 0.0).float()

    def _median(self, values: NDArray[np.float32], counts: NDArray[np.float64]) -> float:
        """The constant with the least headline error, where a channel has these ascending values so often."""
        return weighted_median(values, counts)

    def goal_of_kind(self, text: str) -> Goal | None:
        """`x1.5`: the labels times 1.5."""
        factor = read_factor(text)
        if factor is None:
            return None
        check_factor(self.name, text, factor, self.positive_factor)
        return Goal(text, lambda labels: self.multiplied(labels, factor))

    def multiplied(self, labels: Tensor, factor: float) -> Tensor:
        """Labels times a factor, as far as the task's range goes."""
        return labels * factor

    def encode(self, values: NDArray[np.float64], valid: NDArray[np.bool_], step: float) -> NDArray[Any]:
        """Values `[H, W, *target_channels]` in the task's unit, where they are `valid`, as stored multiples of `step`.

        InputError names a value that does not fit; by default from 0 to 65,534 steps do.
        """
        known = np.where(valid, values, 0)
        if known.min() < 0:
            raise InputError(f"the value {known.min():.6g}, expected at least 0")
        return np.where(valid, whole_steps(known, step, 65534), self.stored_invalid).astype(self.stored_dtype)

    def as_stored(self, target: Tensor) -> tuple[NDArray[Any], float] | None:
        valid = self.valid(target[None])[0].numpy()
        values = target.movedim(0, -1).numpy() if self.target_channels else target.numpy()
        known = valid[..., None] if self.target_channels else valid
        try:
            raw = self.encode(np.where(known, values, 0).astype(np.float64), known, self.stored_step)
        except InputError:
            return None
        again = self.decode(raw, {"scale": self.stored_step, "invalid": self.stored_invalid})
        same = torch.where(self.valid(again[None]), again, 0) == torch.where(self.valid(target[None]), target, 0)
        return (raw, self.stored_step) if same.all() else None

    def clip(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values cut off where the task's range ends, if it has one."""
        return values

    def contradictions(self, statistics: Array, losses: Array) -> Iterator[Contradiction]:
        """Sums of errors that are negative, or the second column, which gives the loss, does not."""
        pixels, absolute = statistics[:, 0], statistics[:, 1]
        yield Contradiction(somewhere(statistics[:, 1:] < 0), "a sum of errors is negative")
        loss = absolute / np.maximum(pixels, 1)
        wrong = ~np.isclose(losses, loss, rtol=ROUNDING, atol=1e-37)
        yield Contradiction(wrong, "the loss is not abs_sum/pixels, the mean error")

    def constant_losses(self, statistics: Array) -> Array:
        return statistics[:, 1] / np.maximum(statistics[:, 0], 1)

    def _more_columns(self, prediction: Tensor, target: Tensor, error: Tensor) -> list[Tensor]:
        """Statistics of each pixel `[B, H, W]` (image `[B]`) behind its count and error; no account on invalid ones."""
        return []

    def _errors(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Absolute error and whether it counts, `[B, H, W]` both, or `[B]` of whole images; finite everywhere."""
        valid = self.valid(target)
        error = (prediction - known(prediction, target, valid)).abs()
        # The mean over one channel is that channel.
        return error.squeeze(1) if self.channels == 1 else error.mean(1), valid


class SignedRegression(Regression):
    """L1 over numbers of both signs, which a prepared file holds as −32,767 to 32,767 steps."""

    stored_dtype: ClassVar[str] = "int16"
    stored_invalid: ClassVar[int] = -32768

    def encode(self, values: NDArray[np.float64], valid: NDArray[np.bool_], step: float) -> NDArray[Any]:
        """A label of several numbers is invalid where one of them is."""
        whole = valid.all(-1, keepdims=True) if self.target_channels else valid
        steps = whole_steps(np.where(whole, values, 0), step, 32767)
        return np.where(whole, steps, self.stored_invalid).astype(self.stored_dtype)

    def paint(self, labels: NDArray[Any], names: Sequence[str] = ()) -> Painting:
        values = labels.mean(1) if self.target_channels else labels
        return paint_scale(values, np.isfinite(values), "magma")


def known(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """The target in the shape of a prediction, 0 where it is invalid."""
    # By a product: torch.where takes several times as long on a CPU.
    return target.nan_to_num(0, 0, 0).reshape(prediction.shape) * valid[:, None].to(target.dtype)


def whole_steps(values: NDArray[np.float64], step: float, most: int) -> NDArray[np.float64]:
    """Values as the nearest whole numbers of steps; InputError names the largest if it is more than `most`."""
    steps: NDArray[np.float64] = np.rint(values / step)
    if np.abs(steps).max() > most:
        worst = values.flat[np.abs(steps).argmax()]
        raise InputError(f"the value {worst:.6g}, expected at most {most * step:.6g}; give a larger step")
    return steps

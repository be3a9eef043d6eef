"""Surface normals in the camera's frame: x right, y down, z forward."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.tasks.base import Metric, Task, check_aligned, check_target, divide, no_valid_pixel, sum_of_image
from mtlattack.tasks.registry import TASKS
from mtlattack.tasks.sphere import median_direction
from mtlattack.tasks.tally import Tally

_LIMITS = (11.25, 22.5, 30.0)
_BINS_PER_DEGREE = 2
_BINS = 180 * _BINS_PER_DEGREE


@TASKS.register("normals")
@dataclass(frozen=True)
class Normals(Task):
    """1 − cos of the angle; predictions and targets `[B, 3, H, W]` of any length, a target 0 or not finite is invalid.

    The median comes from a histogram of half-degree bins: the mean of the two middle angles (the same one if the count
    is odd), each interpolated inside its bin, so it is off by at most 0.5° whatever the distribution. A prediction of
    length 0 has no direction and counts as 90° off.
    """

    kind: ClassVar[str] = "normals"
    target_channels: ClassVar[tuple[int, ...]] = (3,)
    metric_table: ClassVar[tuple[Metric, ...]] = (
        Metric("angle_mean", "°", False),
        Metric("angle_median", "°", False),
        Metric("within_11.25", "%", True, 100.0),
        Metric("within_22.5", "%", True, 100.0),
        Metric("within_30", "%", True, 100.0),
    )

    @property
    def channels(self) -> int:
        return 3

    @property
    def statistics_names(self) -> tuple[str, ...]:
        return ("pixels", "angle_sum", *(f"within_{x:g}" for x in _LIMITS), *(f"bin_{i}" for i in range(_BINS)))

    def pixel_losses(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        check_aligned(self, prediction, target)
        target, valid = _known(target)
        return 1 - _cosine(prediction, target), valid

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        return super().loss(prediction, target).clamp_min(0)  # A cosine may be a float above 1.

    def similarity(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(1 + cos)/2 of the angle: ½ at a right angle, so that pixels beyond it still count."""
        check_aligned(self, prediction, target)
        return ((1 + _cosine(prediction, _known(target)[0])) / 2).clamp(0, 1)

    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        check_aligned(self, prediction, target)
        (target, valid), prediction = _known(target), prediction.contiguous()
        # atan2 keeps its precision at 0° and 180°, where arccos loses half the digits.
        sine = _cross_length(prediction, target)
        angle = torch.rad2deg(torch.atan2(sine, (prediction * target).sum(1)))
        angle = torch.where(_any_component(prediction), angle, 90.0)
        counting = valid.to(angle.dtype)
        # In place: floats compare to 0.0 and 1.0, which a CPU does four times as fast as to bools.
        within = [angle.clone().le_(limit) * counting for limit in _LIMITS]
        columns = [counting, torch.where(valid, angle, 0.0), *within]
        sums = torch.stack([sum_of_image(column).float() for column in columns], 1)
        bins = (angle * _BINS_PER_DEGREE).long().clamp_max(_BINS - 1).flatten(1)
        histogram = angle.new_zeros(len(angle), _BINS).scatter_add_(1, bins, counting.flatten(1))
        return torch.cat([sums, histogram.float()], 1)

    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        sums = np.asarray(statistics_sum, np.float64)
        pixels, angle, *within = np.moveaxis(sums[..., :5], -1, 0)
        result = {"angle_mean": divide(angle, pixels), "angle_median": _median(sums[..., 5:])}
        return result | {f"within_{x:g}": 100 * divide(n, pixels) for x, n in zip(_LIMITS, within, strict=True)}

    def best_constant(self, targets: Iterable[Tensor]) -> Tensor:
        """The direction with the least mean angle; not the mean direction, which has the least mean 1 − cos."""
        tally, images = Tally(columns=3), 0
        for target in targets:
            check_target(self, target)
            target, valid = _known(target)
            tally.add(target.movedim(1, -1)[valid])
            images += len(target)
        values, counts = tally.counted()
        if not len(values):
            raise no_valid_pixel(self, images)
        vectors = values.astype(np.float64)
        directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return torch.from_numpy(median_direction(directions, counts)).float()


def _cosine(prediction: Tensor, target: Tensor) -> Tensor:
    """Of the angle between vectors `[B, 3, H, W]`, `[B, H, W]`; 0 where one has no direction."""
    a, b = _planes(prediction), target
    return (a * b).sum(1) / (_length(a) * _length(b))


def _length(vectors: Tensor) -> Tensor:
    """Lengths `[B, H, W]`, kept from 0; written out because `torch.norm` is slow over three values."""
    return (vectors * vectors).sum(1).clamp_min(1e-12).sqrt()


def _cross_length(a: Tensor, b: Tensor) -> Tensor:
    """|a × b| of vectors `[B, 3, H, W]`, `[B, H, W]`; written out because torch is slow over three strided values."""
    (ax, ay, az), (bx, by, bz) = a.unbind(1), b.unbind(1)
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    return (x * x + y * y + z * z).sqrt()


def _planes(vectors: Tensor) -> Tensor:
    """Vectors `[B, 3, H, W]` with each component in a plane of its own, over which a CPU sums in half the time."""
    mixed = vectors.is_contiguous(memory_format=torch.channels_last) and not vectors.is_contiguous()
    return _Planes.apply(vectors) if mixed else vectors  # type: ignore[no-untyped-call]


class _Planes(torch.autograd.Function):
    """`contiguous`, but the gradient has the layout of the vectors: what a head makes of it depends on that."""

    generate_vmap_rule = True

    @staticmethod
    def forward(vectors: Tensor) -> Tensor:
        return vectors.contiguous()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.shape, ctx.strides = inputs[0].shape, inputs[0].stride()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.new_empty_strided(ctx.shape, ctx.strides).copy_(gradient)


def _known(target: Tensor) -> tuple[Tensor, Tensor]:
    """The target with 0 where it is not finite, and where it is valid, `[B, H, W]`."""
    nothing = (target * 0.0).sum(1, keepdim=True)  # NaN where a component is not finite, 0 elsewhere.
    target = (target + nothing).nan_to_num()
    return target, _any_component(target)


def _any_component(vectors: Tensor) -> Tensor:
    """Where a vector is not 0, `[B, H, W]`; as a cast, for a comparison takes four times as long on a CPU."""
    x, y, z = vectors.bool().unbind(1)
    return x | y | z


def _median(histogram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median angle in degrees of histograms `[..., bins]`."""
    cumulative = histogram.cumsum(-1)
    count = cumulative[..., -1:]
    # Both middle ranks: with an even count they may lie in bins far apart.
    middle = [_ranked(histogram, cumulative, rank) for rank in (np.ceil(count / 2), np.floor(count / 2) + 1)]
    return (middle[0] + middle[1])[..., 0] / 2


def _ranked(
    histogram: NDArray[np.float64], cumulative: NDArray[np.float64], rank: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The `rank`-th smallest angle (from 1), as if the angles of a bin stood evenly in it; NaN if there is none."""
    index = (cumulative < rank).sum(-1, keepdims=True).clip(max=_BINS - 1)
    inside = np.take_along_axis(histogram, index, -1)
    before = np.take_along_axis(cumulative, index, -1) - inside
    return (index + divide(rank - 0.5 - before, inside)) / _BINS_PER_DEGREE

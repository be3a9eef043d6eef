"""Surface normals in the camera's frame: x right, y down, z forward."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtlattack.lazily import torch
from mtlattack.tasks.base import Task, check_aligned, check_target, no_valid_pixel, sum_of_image
from mtlattack.tasks.contradictions import SUM, Array, Contradiction, Mask, falling, miscounted
from mtlattack.tasks.goals import Goal, read_turn
from mtlattack.tasks.metric import Metric, divide
from mtlattack.tasks.painting import Painting, masked
from mtlattack.tasks.registry import TASKS
from mtlattack.tasks.sphere import median_direction
from mtlattack.tasks.tally import Tally

if TYPE_CHECKING:
    from torch import Tensor

_LIMITS = (11.25, 22.5, 30.0)
_BINS_PER_DEGREE = 2
_BINS = 180 * _BINS_PER_DEGREE
_STORED_LENGTH = 127
# A unit vector rounded to 1/127 a component is off by at most √3/254 = 0.007.
_UNIT_TOLERANCE = 0.02
# A cosine in float32 is off by this much, on each pixel.
_COSINE_ERROR = 2e-6


@TASKS.register("normals")
@dataclass(frozen=True)
class Normals(Task):
    """1 − cos of the angle; predictions and targets `[B, 3, H, W]` of any length, a target 0 or not finite is invalid.

    The median comes from a histogram of half-degree bins: the mean of the two middle angles (the same one if the count
    is odd), each interpolated inside its bin, so it is off by at most 0.5° whatever the distribution. A prediction of
    length 0 has no direction and counts as 90° off.
    """

    kind: ClassVar[str] = "normals"
    stored_dtype: ClassVar[str] = "int8"
    scaled: ClassVar[bool] = False
    goal_forms: ClassVar[tuple[str, ...]] = ("x-45", "y30", "z180")
    target_channels: ClassVar[tuple[int, ...]] = (3,)
    metric_table: ClassVar[tuple[Metric, ...]] = (
        Metric("angle_mean", "°", False),
        Metric("angle_median", "°", False),
        Metric("within_11.25", "%", True, 100.0),
        Metric("within_22.5", "%", True, 100.0),
        Metric("within_30", "%", True, 100.0),
    )
    # Of two opposite directions one is within 90° in the mean.
    always_reached: ClassVar[float] = 90.0

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
        angle = torch.where(_any_component(prediction), _angle(prediction, target), 90.0)
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

    def constants(self, target: Tensor) -> Tensor:
        """The mean direction of each image, which has the least mean 1 − cos."""
        directions = torch.nn.functional.normalize(_known(target)[0], dim=1)
        total = torch.stack([sum_of_image(component) for component in directions.unbind(1)], 1)
        return torch.nn.functional.normalize(total, dim=1).float()

    def decode(self, raw: NDArray[Any], attributes: Mapping[str, Any]) -> Tensor:
        return torch.from_numpy(raw.astype(np.float32).transpose(2, 0, 1) / _STORED_LENGTH)

    def stored_fault(self, raw: NDArray[Any], attributes: Mapping[str, Any]) -> str | None:
        length = np.linalg.norm(raw.astype(np.float64), axis=-1) / _STORED_LENGTH
        off = length[(length != 0) & (np.abs(length - 1) > _UNIT_TOLERANCE)]
        return f"a normal of length {off[0]:.3f}, expected 1 or 0" if off.size else None

    def fault(self, target: Tensor) -> str | None:
        known, valid = _known(target.flatten(0, -4) if target.ndim > 3 else target[None])
        length = known.square().sum(1).sqrt()
        off = length[valid & ((length - 1).abs() > _UNIT_TOLERANCE)]
        return f"a normal of length {off[0]:.3f}, expected 1, or 0 or NaN for none" if len(off) else None

    def as_stored(self, target: Tensor) -> tuple[NDArray[Any], float] | None:
        known = _known(target[None])[0][0]
        raw = (known * _STORED_LENGTH).round().clamp(-_STORED_LENGTH, _STORED_LENGTH)
        exact = torch.equal(raw / _STORED_LENGTH, known)
        return (raw.movedim(0, -1).numpy().astype(self.stored_dtype), 1 / _STORED_LENGTH) if exact else None

    def as_label(self, prediction: Tensor) -> Tensor:
        return torch.nn.functional.normalize(prediction, dim=1)

    def paint(self, labels: NDArray[Any], names: Sequence[str] = ()) -> Painting:
        """Red to the right, green upward, blue toward the viewer: flat walls ahead are light blue."""
        normals = labels.transpose(0, 2, 3, 1).astype(np.float64)
        colours = np.clip((normals * (1, -1, -1) + 1) / 2, 0, 1)
        return Painting(masked(colours, (normals != 0).any(-1)))

    def mirrored(self, label: Tensor) -> Tensor:
        """Flipped, and so is the x component."""
        return label.flip(-1) * label.new_tensor([-1.0, 1.0, 1.0]).view(3, 1, 1)

    def divergence(self, prediction: Tensor, reference: Tensor) -> Tensor:
        """1 − cosine of the angle between both."""
        return 1 - torch.nn.functional.cosine_similarity(prediction, reference, dim=1, eps=1e-6)

    def goal_of_kind(self, text: str) -> Goal | None:
        """`y30`: every normal turned by 30° about the axis y, from z to x (x: from y to z; z: from x to y)."""
        found = read_turn(self.name, text)
        return None if found is None else Goal(text, partial(_turned, axis="xyz".index(found[0]), angle=found[1]))

    def apart(self, labels: Tensor, others: Tensor) -> Tensor:
        """The angle between both in degrees."""
        return _angle(labels, others)

    def contradictions(self, statistics: Array, losses: Array) -> Iterator[Contradiction]:
        """Counts within an angle, the sum of angles and the mean of 1 − cos that the histogram does not allow.

        A prediction shorter than 1e-6 has its cosine shrunk: a loss beyond the histogram's, on the side of 1, is
        flagged.
        """
        pixels, angles, within, bins = statistics[:, 0], statistics[:, 1], statistics[:, 2:5], statistics[:, 5:]
        counts = {f"within_{limit:g}": within[:, k] for k, limit in enumerate(_LIMITS)}
        yield from miscounted(pixels, bins=bins, **counts)
        yield from falling(**counts, pixels=pixels)
        yield Contradiction(bins.sum(1) != pixels, "the bins of the histogram are not the valid pixels")
        width = 180 / bins.shape[1]
        below = np.concatenate([np.zeros((len(bins), 1)), bins.cumsum(1)], 1)
        for name, limit in zip(counts, _LIMITS, strict=True):
            # The bin in which the limit lies may be on either side; one that begins with it holds it.
            inside = int(limit / width)
            wrong = (counts[name] < below[:, inside]) | (counts[name] > below[:, inside + 1])
            yield Contradiction(wrong, f"{name} is not what the histogram has there")
        lower = width * np.arange(bins.shape[1])
        upper = lower + width
        low, high = bins @ lower * (1 - SUM), bins @ upper * (1 + SUM)
        yield Contradiction((angles < low) | (angles > high), "angle_sum is not what the histogram allows")
        least, most = 1 - np.cos(np.deg2rad(lower)), 1 - np.cos(np.deg2rad(upper))
        total, slack = losses * pixels, _COSINE_ERROR * pixels
        out = _outside(total, bins @ np.minimum(least, 1), bins @ np.maximum(most, 1), slack)
        yield Contradiction(out, "the loss is not what the histogram of angles allows")
        odd = _outside(total, bins @ least, bins @ most, slack) & ~out
        says = "the loss is not that of the angles, unless predictions are shorter than 1e-6"
        yield Contradiction(odd, says, "flagged")


def _cosine(prediction: Tensor, target: Tensor) -> Tensor:
    """Of the angle between vectors `[B, 3, H, W]`, `[B, H, W]`; 0 where one has no direction."""
    a, b = _planes(prediction), target
    return (a * b).sum(1) / (_length(a) * _length(b))


def _angle(a: Tensor, b: Tensor) -> Tensor:
    """Between vectors `[B, 3, H, W]`, in degrees, `[B, H, W]`."""
    # atan2 keeps its precision at 0° and 180°, where arccos loses half the digits.
    return torch.rad2deg(torch.atan2(_cross_length(a, b), (a * b).sum(1)))


def _turned(vectors: Tensor, axis: int, angle: float) -> Tensor:
    """Vectors `[B, 3, H, W]` turned about a coordinate axis by so many degrees, by the right-hand rule."""
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    components = list(vectors.unbind(1))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    a, b = components[first], components[second]
    components[first], components[second] = cosine * a - sine * b, sine * a + cosine * b
    return torch.stack(components, 1)


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
    from mtlattack.tasks.planes import Planes  # A class of torch's, which is not loaded to read numbers.

    mixed = vectors.is_contiguous(memory_format=torch.channels_last) and not vectors.is_contiguous()
    return Planes.apply(vectors) if mixed else vectors  # type: ignore[no-untyped-call]


def _known(target: Tensor) -> tuple[Tensor, Tensor]:
    """The target with 0 where it is not finite, and where it is valid, `[B, H, W]`."""
    nothing = (target * 0.0).sum(1, keepdim=True)  # NaN where a component is not finite, 0 elsewhere.
    target = (target + nothing).nan_to_num()
    return target, _any_component(target)


def _any_component(vectors: Tensor) -> Tensor:
    """Where a vector is not 0, `[B, H, W]`; as a cast, for a comparison takes four times as long on a CPU."""
    x, y, z = vectors.bool().unbind(1)
    return x | y | z


def _outside(total: Array, low: Array, high: Array, slack: Array) -> Mask:
    """Which sums are beyond their bounds by more than rounding makes, `[N]` all."""
    outside: Mask = (total < low * (1 - SUM) - slack) | (total > high * (1 + SUM) + slack)
    return outside


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

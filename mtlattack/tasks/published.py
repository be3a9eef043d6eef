"""Tasks as a paper's released code takes and judges them, mistakes included: to compare with its numbers.

What is right is in the tasks themselves. These are no registered kinds: nothing that is stored names one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import UnknownNameError
from mtlattack.lazily import torch
from mtlattack.tasks.base import Task, TaskMap, check_aligned
from mtlattack.tasks.contradictions import Array, Contradiction
from mtlattack.tasks.depth import Depth
from mtlattack.tasks.metric import divide
from mtlattack.tasks.normals import Normals
from mtlattack.tasks.regression import Regression
from mtlattack.tasks.segmentation import Segmentation

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class HitClassesSegmentation(Segmentation):
    """mIoU over the classes that have a right pixel: one that an attack drives to zero is dropped."""

    kind: ClassVar[str] = "segmentation_dgba"

    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        tp, fp, fn = np.split(np.asarray(statistics_sum, np.float64)[..., 1:], 3, axis=-1)
        hit = tp > 0
        iou = np.where(hit, divide(tp, tp + fp + fn), 0.0)
        return super().metrics(statistics_sum) | {"miou": 100 * divide(iou.sum(-1), hit.sum(-1))}


@dataclass(frozen=True)
class UnmaskedSegmentation(HitClassesSegmentation):
    """Also, unlabelled pixels are of class 0: the mask that Taskonomy has for them is read and not used."""

    kind: ClassVar[str] = "segmentation_dgba_unmasked"

    def pixel_losses(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return super().pixel_losses(prediction, self._filled(target))

    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        return super().statistics(prediction, self._filled(target))

    def _filled(self, target: Tensor) -> Tensor:
        return torch.where(target == self.ignore, 0, target)


@dataclass(frozen=True)
class UnsignedDepth(Depth):
    """A negative depth is an inlier: its ratio to the label is negative, and so below every limit."""

    kind: ClassVar[str] = "depth_dgba"

    def _more_columns(self, prediction: Tensor, target: Tensor, error: Tensor) -> list[Tensor]:
        true = torch.where(self.valid(target), target, 1.0)
        ratio = torch.maximum(prediction[:, 0] / true, true / prediction[:, 0])
        relative, square, *inliers = super()._more_columns(prediction, target, error)
        return [relative, square, *(inlier | (ratio < 0) for inlier in inliers)]

    def contradictions(self, statistics: Array, losses: Array) -> Iterator[Contradiction]:
        """What bounds errors by inliers does not hold here."""
        return Regression.contradictions(self, statistics, losses)


@dataclass(frozen=True)
class OctantNormals(Normals):
    """Normals n as 8-bit pictures have them, (n + 1)/2, all in one octant: angles between them are small. A mirrored
    picture keeps its x.

    Labels and predictions are those of `Normals`, and taken so; an unknown label stays unknown.
    """

    kind: ClassVar[str] = "normals_dgba"

    def pixel_losses(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        check_aligned(self, prediction, target)
        return super().pixel_losses(_in_octant(prediction), _pictured(target))

    def similarity(self, prediction: Tensor, target: Tensor) -> Tensor:
        check_aligned(self, prediction, target)
        return super().similarity(_in_octant(prediction), _pictured(target))

    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        check_aligned(self, prediction, target)
        return super().statistics(_in_octant(prediction), _pictured(target))

    def mirrored(self, label: Tensor) -> Tensor:
        """Flipped, and nothing else."""
        return label.flip(-1)


def published_tasks(compat: str, tasks: TaskMap, labels: str = "nyuv2") -> dict[str, Task]:
    """The tasks under their names, each as the code of this paper has it; those that it has right stay as they are.

    `dgba` is the code of arXiv 2305.12066; its faults depend on whose `labels` it reads, `nyuv2` or `taskonomy`.
    UnknownNameError for others.
    """
    if compat not in _PUBLISHED:
        raise UnknownNameError("compat", compat, _PUBLISHED)
    if labels not in _PUBLISHED[compat]:
        raise UnknownNameError(f"labels of {compat}", labels, _PUBLISHED[compat])
    kinds = _PUBLISHED[compat][labels]
    return {
        name: _as(kinds[type(task)], task).called(name) if type(task) in kinds else task for name, task in tasks.items()
    }


def _as(kind: type[Task], task: Task) -> Task:
    options = {name: value for name, value in task.config().items() if name not in ("kind", "name")}
    return kind(**options)


def _in_octant(vectors: Tensor) -> Tensor:
    """Directions `[B, 3, H, W]` of any length as (n + 1)/2."""
    return (torch.nn.functional.normalize(vectors, dim=1) + 1) / 2


def _pictured(target: Tensor) -> Tensor:
    """Labels as 8-bit pictures: whole steps of 1/255, 0 where there is none."""
    known = target.nan_to_num()
    return (_in_octant(known) * 255).round() / 255 * known.bool().any(1, keepdim=True)


_PUBLISHED: Mapping[str, Mapping[str, Mapping[type[Task], type[Task]]]] = {
    "dgba": {
        "nyuv2": {Segmentation: HitClassesSegmentation, Depth: UnsignedDepth, Normals: OctantNormals},
        "taskonomy": {Segmentation: UnmaskedSegmentation},
    }
}

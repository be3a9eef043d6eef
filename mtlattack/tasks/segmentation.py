"""Semantic segmentation: one class a pixel."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtlattack.tasks.classes import Classes
from mtlattack.tasks.metric import Metric, divide
from mtlattack.tasks.registry import TASKS

IGNORE = 255


@TASKS.register("segmentation")
@dataclass(frozen=True)
class Segmentation(Classes):
    """Cross entropy over `classes` logits; targets are int64 `[B, H, W]`, `ignore` marks unlabelled pixels.

    mIoU averages over the classes that occur in the labels: one that the predictions never hit counts as 0, one
    that the labels never show is left out, so clean and attacked runs average over the same classes. Class c everywhere
    has IoU n_c/N for c and 0 for all others, so the most frequent class is the best constant.
    """

    kind: ClassVar[str] = "segmentation"
    stored_dtype: ClassVar[str] = "uint8"
    stored_ignore: ClassVar[int] = IGNORE
    metric_table: ClassVar[tuple[Metric, ...]] = (
        Metric("miou", "%", True, 100.0),
        Metric("pixel_accuracy", "%", True, 100.0),
    )

    ignore: int = IGNORE

    @property
    def short_title(self) -> str:
        return "segment."

    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        tp, fp, fn = np.split(np.asarray(statistics_sum, np.float64)[..., 1:], 3, axis=-1)
        occurs = tp + fn > 0
        iou = np.where(occurs, divide(tp, tp + fp + fn), 0.0)
        miou = divide(iou.sum(-1), occurs.sum(-1))
        accuracy = divide(tp.sum(-1), (tp + fn).sum(-1))
        return {"miou": 100 * miou, "pixel_accuracy": 100 * accuracy}

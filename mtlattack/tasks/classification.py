"""Classification: one class an image."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtlattack.tasks.classes import Classes
from mtlattack.tasks.metric import Metric, divide
from mtlattack.tasks.registry import TASKS

NO_LABEL = -1


@TASKS.register("classification")
@dataclass(frozen=True)
class Classification(Classes):
    """Cross entropy over `classes` logits `[B, classes]`; targets are int64 `[B]`, `ignore` marks unlabelled images.

    `mean_recall` averages over the classes that occur in the labels the share of their images that are found, also
    called balanced accuracy. The most frequent class is the constant of the highest accuracy.
    """

    kind: ClassVar[str] = "classification"
    dense: ClassVar[bool] = False
    stored_dtype: ClassVar[str] = "int16"
    stored_ignore: ClassVar[int] = NO_LABEL
    metric_table: ClassVar[tuple[Metric, ...]] = (
        Metric("accuracy", "%", True, 100.0),
        Metric("mean_recall", "%", True, 100.0),
    )

    ignore: int = NO_LABEL

    @property
    def short_title(self) -> str:
        return "class"

    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        tp, _, fn = np.split(np.asarray(statistics_sum, np.float64)[..., 1:], 3, axis=-1)
        occurs = tp + fn > 0
        recall = np.where(occurs, divide(tp, tp + fn), 0.0)
        accuracy = divide(tp.sum(-1), (tp + fn).sum(-1))
        return {"accuracy": 100 * accuracy, "mean_recall": 100 * divide(recall.sum(-1), occurs.sum(-1))}

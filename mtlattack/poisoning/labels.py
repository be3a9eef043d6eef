"""Labels of injected points: kept, flipped, or sought."""

from enum import StrEnum

import numpy as np

from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.tasks import Kind, TaskSet


class Labels(StrEnum):
    """What an attacker may do to the label that a point began with."""

    FIXED = "fixed"
    FLIPPED = "flipped"
    OPTIMISED = "optimised"


def label_range(tasks: TaskSet, task: int) -> tuple[float, float]:
    """From where to where labels of this task may go: as far as its clean ones; 0 to 1 for classes."""
    if tasks.kind is Kind.CLASSIFICATION:
        return 0.0, 1.0
    labels = tasks.points[task][1]
    return float(labels.min()), float(labels.max())


def flip(labels: Array, low: float, high: float) -> Array:
    """The end of the range that is farther from each label: the other class, or the most wrong number."""
    return np.where(labels > (low + high) / 2, low, high)


def ascend(kind: Kind, labels: Array, slopes: Array, length: float, low: float, high: float) -> Array:
    """Labels `[m]` one step along ∂U/∂ŷ (`slopes`): numbers by `length` of their range; of classes those with most to
    gain change sides, at most `length` of them and one at least."""
    if kind is Kind.REGRESSION:
        return (labels + length * (high - low) * np.sign(slopes)).clip(low, high)
    gains = slopes * (1 - 2 * labels)
    most = max(1, round(length * len(labels)))
    changing = np.argsort(-gains, kind="stable")[:most]
    changing = changing[gains[changing] > 0]
    changed = labels.copy()
    changed[changing] = 1 - changed[changing]
    return changed

"""Segmentation: every valid pixel has one true and one predicted class."""

from collections.abc import Iterator

import numpy as np

from mtlattack.leaderboard.checking.kinds.base import SUM, Array, Contradiction, Kind, miscounted
from mtlattack.tasks import Task


def class_pixels(task: Task, statistics: Array) -> Array:
    """Valid pixels, then those of each class in the labels, `[N, 1 + classes]`."""
    hits, _, missed = _split(statistics)
    return np.concatenate([statistics[:, :1], hits + missed], 1)


def check_classes(task: Task, statistics: Array, losses: Array) -> Iterator[Contradiction]:
    """Counts that add up, and a cross entropy that they allow.

    A wrong pixel gives its class at most probability ½, and so loses ln 2 or more; one that is right gives it 1/classes
    or more.
    """
    pixels, (hits, false, missed) = statistics[:, 0], _split(statistics)
    yield from miscounted(pixels, tp=hits, fp=false, fn=missed)
    yield Contradiction((hits + missed).sum(1) != pixels, "tp + fn of all classes are not the valid pixels")
    yield Contradiction((hits + false).sum(1) != pixels, "tp + fp of all classes are not the valid pixels")
    wrong = np.maximum(pixels - hits.sum(1), 0)
    least = np.log(2) * wrong * (1 - SUM)
    yield Contradiction(losses * pixels < least, "the loss is less than the pixels of a wrong class alone make it")
    most = np.log(hits.shape[1]) * (1 + SUM)
    yield Contradiction((wrong == 0) & (losses > most), "the loss is more than pixels that all are right can make it")


def _split(statistics: Array) -> list[Array]:
    """True positives, false positives and false negatives, `[N, classes]` each."""
    return np.split(statistics[:, 1:], 3, axis=1)


SEGMENTATION = Kind(class_pixels, check_classes)

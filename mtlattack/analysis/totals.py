"""What a record says of all images without resampling them: means, sums and extremes, read block by block."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mtlattack.analysis.resampling import Array, blocks
from mtlattack.evidence import DIAGNOSTICS, NORMS, Outcome, part_of
from mtlattack.tasks import Task


def mean_losses(outcome: Outcome, tasks: Mapping[str, Task]) -> dict[str, float]:
    """By task, over the images with valid pixels for it; NaN where there is none."""
    found = {}
    for place, name in enumerate(tasks):
        total, count = 0.0, 0
        for losses, statistics in zip(_parts(outcome.losses), _parts(outcome.statistics[name]), strict=True):
            valid = losses[statistics[:, 0] > 0, place]
            total, count = total + float(valid.sum()), count + len(valid)
        found[name] = total / count if count else float("nan")
    return found


def mean_diagnostics(outcome: Outcome) -> dict[str, float]:
    """Over all images, by the names of DIAGNOSTICS; NaN where an image has none."""
    total = sum(part.sum(0) for part in _parts(outcome.diagnostics))
    return dict(zip(DIAGNOSTICS, total / len(outcome.diagnostics), strict=True))


def largest_norms(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Of all perturbations, by the names of NORMS."""
    largest = np.max([part.max(0) for outcome in outcomes for part in _parts(outcome.perturbation)], 0)
    return dict(zip(NORMS, largest, strict=True))


def total_seconds(outcomes: Sequence[Outcome]) -> float:
    """Spent on all images."""
    return float(sum(part.sum() for outcome in outcomes for part in _parts(outcome.seconds)))


def _parts(values: Array) -> Iterator[Array]:
    return (part_of(values, rows) for rows in blocks(len(values)))

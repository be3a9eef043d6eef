"""What a row reports and what was found again on the same images: every number that is compared, and how far apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.change import loss_ratio
from mtlattack.analysis.resampling import Array
from mtlattack.evidence import DIAGNOSTICS, Outcome
from mtlattack.tasks import TaskMap

# `labels`: pixels with labels. `clean loss`: log of found over reported, of the image that is farthest off.
# `log ratio`: of the mean log loss ratio, found − reported, for all tasks and for each. `image`: the same of the image
# that is farthest off. `metrics`: of the metric that is farthest off, (found − reported) over the largest of the
# absolute values found, reported and (under attack) found clean. `noted`: of the mean of what the attack noted.
Measure = Literal["labels", "clean loss", "clean metrics", "log ratio", "image", "metrics", "noted"]
ALL_TASKS = "all tasks"


@dataclass(frozen=True)
class Difference:
    """Of what, the values reported and found, and how far these are apart: signed, in the measure's unit, ±∞ where only
    one of them is defined."""

    measure: Measure
    subject: str
    reported: float
    found: float
    size: float


@dataclass(frozen=True)
class Pair:
    """What was reported and found of one job, on the same images in the same order."""

    reported: Outcome
    found: Outcome


def rows_of(outcome: Outcome, rows: list[int]) -> Outcome:
    """Some of an outcome's images."""
    statistics = {name: values[rows] for name, values in outcome.statistics.items()}
    return Outcome(
        outcome.losses[rows], statistics, outcome.perturbation[rows], outcome.diagnostics[rows], outcome.seconds[rows]
    )


def clean_differences(clean: Pair, tasks: TaskMap) -> list[Difference]:
    """Labels, losses and metrics of each task without attack."""
    ratio, valid = loss_ratio(clean.reported, clean.found, tasks)
    distances = np.where(valid, np.log(ratio), 0)
    differences = []
    for place, name in enumerate(tasks):
        labelled, again = (outcome.statistics[name][:, 0] for outcome in (clean.reported, clean.found))
        moved = float(np.abs(again - labelled).sum())
        differences.append(Difference("labels", name, float(labelled.sum()), float(again.sum()), moved))
        row = _farthest(distances[:, place])
        loss, after = (float(outcome.losses[row, place]) for outcome in (clean.reported, clean.found))
        differences.append(Difference("clean loss", name, loss, after, float(distances[row, place])))
    return [*differences, *_metric_differences("clean metrics", clean, None, tasks)]


def attacked_differences(clean: Pair, attacked: Pair, tasks: TaskMap) -> list[Difference]:
    """The mean log loss ratio of all tasks, which stands first, and of each that has labels on these images; the
    farthest image and metric of each task; and what the attack noted."""
    reported, valid = _log_ratios(clean.reported, attacked.reported, tasks)
    found, _ = _log_ratios(clean.found, attacked.found, tasks)
    means, images = [], []
    for place, name in enumerate(tasks):
        labelled = valid[:, place]
        if labelled.any():
            before, after = reported[labelled, place], found[labelled, place]
            means.append(_plain("log ratio", name, float(before.mean()), float(after.mean())))
            row = _farthest(after - before)
            images.append(_plain("image", name, float(before[row]), float(after[row])))
    together = [float(np.mean([getattr(mean, side) for mean in means])) for side in ("reported", "found")]
    return [
        _plain("log ratio", ALL_TASKS, *together),
        *means,
        *images,
        *_metric_differences("metrics", attacked, clean.found, tasks),
        *_noted_differences(attacked),
    ]


def _plain(measure: Measure, subject: str, reported: float, found: float) -> Difference:
    return Difference(measure, subject, reported, found, found - reported)


def _log_ratios(clean: Outcome, attacked: Outcome, tasks: TaskMap) -> tuple[Array, NDArray[np.bool_]]:
    ratio, valid = loss_ratio(clean, attacked, tasks)
    return np.log(ratio), valid


def _metric_differences(measure: Measure, pair: Pair, scale: Outcome | None, tasks: TaskMap) -> Iterator[Difference]:
    for name, task in tasks.items():
        reported, found, usual = (
            {} if outcome is None else task.metrics(outcome.statistics[name].sum(0))
            for outcome in (pair.reported, pair.found, scale)
        )
        differences = [
            Difference(
                measure,
                f"{name} {metric}",
                float(reported[metric]),
                float(found[metric]),
                _relative(float(reported[metric]), float(found[metric]), float(usual.get(metric, np.nan))),
            )
            for metric in reported
        ]
        yield max(differences, key=lambda difference: abs(difference.size))


def _relative(reported: float, found: float, usual: float) -> float:
    if not (isfinite(reported) and isfinite(found)):
        return 0.0 if isfinite(reported) == isfinite(found) else inf
    scale = max(abs(reported), abs(found), abs(usual) if isfinite(usual) else 0.0)
    return (found - reported) / scale if scale else 0.0


def _noted_differences(pair: Pair) -> Iterator[Difference]:
    """Of what the attack noted of any image, by either side's account."""
    for column, name in enumerate(DIAGNOSTICS):
        reported, found = pair.reported.diagnostics[:, column], pair.found.diagnostics[:, column]
        if np.isnan(reported).all() and np.isnan(found).all():
            continue
        if not np.array_equal(np.isnan(reported), np.isnan(found)):
            yield Difference("noted", name, float(reported.mean()), float(found.mean()), inf)
        else:
            yield _plain("noted", name, float(np.nanmean(reported)), float(np.nanmean(found)))


def _farthest(values: Array) -> int:
    return int(np.argmax(np.abs(values)))

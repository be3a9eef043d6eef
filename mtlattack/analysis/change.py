"""From statistics to how much each task lost, for the images as they are and for bootstrap resamples of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.resampling import Array, Weights, weighted_sums
from mtlattack.evidence import Outcome, part_of
from mtlattack.tasks import LOSS_FLOOR, Task


class Parted(Protocol):
    """What was done to images, told of some of them at a time: an outcome, or what is made of several."""

    def part(self, rows: slice) -> Outcome:
        """The outcome of some images."""


@dataclass(frozen=True)
class Change:
    """How an attack changed the results, each number `[R]`: one value a row of the resampling weights.

    `metrics` and `relative` are by task and metric; `tasks` is the mean relative change over a task's metrics (negative
    is worse), `arp` its mean and `worst` its minimum over the tasks that have one. `loss_change` is the mean over
    images, then tasks, of (L' − L)/L, and `log_ratio` that of log(L'/L).
    """

    metrics: dict[str, dict[str, Array]]
    relative: dict[str, dict[str, Array]]
    tasks: dict[str, Array]
    arp: Array
    worst: Array
    loss_change: Array
    log_ratio: Array


def weighted_metrics(
    statistics: Mapping[str, Array], tasks: Mapping[str, Task], weights: Weights
) -> dict[str, dict[str, Array]]:
    """Metrics by task and name, `[R]` each, from sums of the images' statistics `[N, S]` under `weights` `[R, N]`."""
    with np.errstate(invalid="ignore", over="ignore"):
        sums = weighted_sums(weights, lambda rows: [part_of(statistics[name], rows) for name in tasks])
        return metrics_of(dict(zip(tasks, sums, strict=True)), tasks)


def metrics_of(sums: Mapping[str, Array], tasks: Mapping[str, Task]) -> dict[str, dict[str, Array]]:
    """Metrics by task and name, `[R]` each, from summed statistics `[R, S]`; what is not finite is NaN."""
    # An error sum that overflowed leaves its metric undefined.
    with np.errstate(invalid="ignore", over="ignore"):
        found = {name: task.metrics(sums[name]) for name, task in tasks.items()}
    return {
        name: {metric: np.where(np.isfinite(values), values, np.nan) for metric, values in metrics.items()}
        for name, metrics in found.items()
    }


def measure_change(
    clean: Parted, clean_metrics: dict[str, dict[str, Array]], attacked: Parted, tasks: Mapping[str, Task],
    weights: Weights,
) -> Change:  # fmt: skip
    """Compare an attacked run with the clean one, image by image the same, under `weights` `[R, N]`."""

    def summed(rows: slice) -> list[NDArray[Any]]:
        before, after = clean.part(rows), attacked.part(rows)
        ratio, valid = loss_ratio(before, after, tasks)
        changes = [np.where(valid, values, 0) for values in (ratio - 1, np.log(ratio))]
        return [valid, *changes, *(after.statistics[name] for name in tasks)]

    # An error sum may overflow.
    with np.errstate(invalid="ignore", over="ignore"):
        counts, loss_change, log_ratio, *statistics = weighted_sums(weights, summed)
    metrics = metrics_of(dict(zip(tasks, statistics, strict=True)), tasks)
    relative = {
        name: {
            metric.name: relative_change(
                clean_metrics[name][metric.name], metrics[name][metric.name], higher_is_better=metric.higher_is_better
            )
            for metric in task.metric_table
        }
        for name, task in tasks.items()
    }
    by_task = {name: _mean(list(values.values())) for name, values in relative.items()}
    stacked = list(by_task.values())
    return Change(
        metrics=metrics,
        relative=relative,
        tasks=by_task,
        arp=_mean(stacked),
        worst=np.fmin.reduce(stacked),
        loss_change=_mean(_means(loss_change, counts)),
        log_ratio=_mean(_means(log_ratio, counts)),
    )


def relative_change(clean: Array, value: Array, *, higher_is_better: bool) -> Array:
    """(value − clean)/|clean|, sign turned so that negative is worse; NaN where the clean value is 0 or undefined."""
    gain = value - clean if higher_is_better else clean - value
    return np.divide(gain, np.abs(clean), out=np.full(np.shape(value), np.nan), where=clean != 0)


def bounds(values: Array) -> tuple[float, float]:
    """The 95 % bootstrap interval, from `[1 + resamples]` with the images as they are first; NaN where it is never
    defined."""
    resampled = values[1:][np.isfinite(values[1:])]
    low, high = np.percentile(resampled, [2.5, 97.5]) if resampled.size else (np.nan, np.nan)
    return float(low), float(high)


def loss_ratio(clean: Outcome, attacked: Outcome, tasks: Mapping[str, Task]) -> tuple[Array, NDArray[np.bool_]]:
    """L'/L `[N, T]`, and where it means something: the image has valid pixels for the task (column 0 counts them)."""
    valid = np.stack([clean.statistics[name][:, 0] > 0 for name in tasks], 1)
    floor = LOSS_FLOOR
    return np.maximum(attacked.losses, floor) / np.maximum(clean.losses, floor), valid


def _means(sums: Array, counts: Array) -> list[Array]:
    """Mean of each task over its valid images, `[R]` each, from sums and counts `[R, T]`; NaN where a resample has no
    valid image."""
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return list(means.T)


def _mean(values: list[Any]) -> Array:
    """Mean over the values that are defined; NaN where none is."""
    stacked = np.stack(values)
    defined = np.isfinite(stacked)
    count = defined.sum(0)
    return np.divide(np.where(defined, stacked, 0).sum(0), count, out=np.full(count.shape, np.nan), where=count > 0)

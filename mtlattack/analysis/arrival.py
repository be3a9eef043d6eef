"""Whether targeted attacks arrived: how far each task was from its goal, is, and what else has moved."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.resampling import Array, Weights
from mtlattack.evidence import ARRIVAL, Outcome
from mtlattack.tasks import Task


@dataclass(frozen=True)
class Arrival:
    """Of one task, each number `[R]`: the mean distance to the goal over the pixels whose goal is not their label,
    `before` and `after`, and `gone`, the share of the way, 1 − after/before; by how much the other pixels' predictions
    `moved` in the mean; and the mean loss to the goal. NaN where there is no such pixel.

    Distances are in the unit of the task's first metric: for a segmentation the per cent of the pixels that are not of
    the class that they were to become, or that changed their class.
    """

    before: Array
    after: Array
    gone: Array
    moved: Array
    loss_before: Array
    loss_after: Array


def measure_arrival(outcome: Outcome, tasks: Mapping[str, Task], weights: Weights) -> dict[str, Arrival]:
    """By task, of those with a goal, under `weights` `[R, N]`; nothing for an attack without a target."""
    if outcome.arrival is None:
        return {}
    with_goal: NDArray[np.bool_] = np.any(np.isfinite(outcome.arrival), axis=(0, 2))
    return {
        name: _arrival(outcome.arrival[:, place], task.apart_factor, weights)
        for place, (name, task) in enumerate(tasks.items())
        if with_goal[place]
    }


def _arrival(values: Array, factor: float, weights: Weights) -> Arrival:
    """Of one task's `[N, A]`."""
    row = dict(zip(ARRIVAL, values.T, strict=True))
    labelled = row["aimed"] + row["rest"] > 0
    before, after = _ratio(weights, row["before"], row["aimed"]), _ratio(weights, row["after"], row["aimed"])
    return Arrival(
        before=factor * before,
        after=factor * after,
        gone=1 - _ratio(weights, row["after"], row["before"]),
        moved=factor * _ratio(weights, row["moved"], row["rest"]),
        loss_before=_ratio(weights, row["loss_before"] * labelled, labelled),
        loss_after=_ratio(weights, row["loss_after"] * labelled, labelled),
    )


def _ratio(weights: Weights, sums: Array, counts: Array) -> Array:
    """Σ sums/Σ counts under each row of the weights, `[R]`; NaN where nothing counts."""
    total, count = weights @ sums, weights @ counts
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)

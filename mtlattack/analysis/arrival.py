"""Whether targeted attacks arrived: how far each task was from its goal, is, and what else has moved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.resampling import Array, Weights, blocks, weighted_sums
from mtlattack.evidence import ARRIVAL, Outcome, part_of
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
    arrival = outcome.arrival
    parts = (part_of(arrival, rows) for rows in blocks(len(arrival)))
    with_goal: NDArray[np.bool_] = np.any([np.isfinite(part).any((0, 2)) for part in parts], 0)
    return {
        name: _arrival(arrival, place, task.apart_factor, weights)
        for place, (name, task) in enumerate(tasks.items())
        if with_goal[place]
    }


def _arrival(arrival: Array, place: int, factor: float, weights: Weights) -> Arrival:
    """Of the task with that place among the columns."""

    def summed(rows: slice) -> list[NDArray[Any]]:
        row = dict(zip(ARRIVAL, part_of(arrival, rows)[:, place].T, strict=True))
        labelled = row["aimed"] + row["rest"] > 0
        losses = [row[name] * labelled for name in ("loss_before", "loss_after")]
        return [*(row[name] for name in ("before", "after", "aimed", "moved", "rest")), *losses, labelled]

    before, after, aimed, moved, rest, loss_before, loss_after, labelled = weighted_sums(weights, summed)
    return Arrival(
        before=factor * _ratio(before, aimed),
        after=factor * _ratio(after, aimed),
        gone=1 - _ratio(after, before),
        moved=factor * _ratio(moved, rest),
        loss_before=_ratio(loss_before, labelled),
        loss_after=_ratio(loss_after, labelled),
    )


def _ratio(sums: Array, counts: Array) -> Array:
    """NaN where nothing counts."""
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)

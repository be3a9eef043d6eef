"""Whether losses that rise are seen in the metrics."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.change import bounds
from mtlattack.analysis.resampling import Array, weighted_sums
from mtlattack.analysis.trust.run import Finished, Job, Sighting
from mtlattack.evidence import part_of

RISE = 0.1
FALL = 0.02


def loss_without_metric(run: Finished) -> list[Sighting] | None:
    """`loss-without-metric`."""
    seen: list[Sighting] = []
    for job in run.jobs:
        for column, task in enumerate(run.tasks):
            rise, change = _rise(run, job, column, task), job.change.tasks[task]
            high = bounds(change)[1]
            if rise[0] > RISE and bounds(rise)[0] > 0 and change[0] > -FALL and high >= 0:
                text = f"the mean loss of {task} rises by {rise[0]:.0%}, its metrics change by {change[0]:.1%} (at most"
                seen.append((str(job), f"{text} {high:.1%})"))
    return seen if run.jobs else None


def _rise(run: Finished, job: Job, column: int, task: str) -> Array:
    """Relative change of a task's mean loss over the images with valid pixels, `[R]`; NaN where there is none."""

    def summed(rows: slice) -> list[NDArray[Any]]:
        valid = part_of(run.clean.statistics[task], rows)[:, 0] > 0
        return [valid * part_of(outcome.losses, rows)[:, column] for outcome in (run.clean, job.outcome)]

    before, after = weighted_sums(run.weights, summed)
    rise: Array = np.divide(after, before, out=np.full(before.shape, np.nan), where=before > 0) - 1
    return rise

"""Whether there were gradients to follow."""

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.resampling import blocks
from mtlattack.analysis.trust.run import Finished, Job, Sighting
from mtlattack.evidence import part_of
from mtlattack.wording import counted

SHARE = 0.05


def gradients_vanish(run: Finished) -> list[Sighting] | None:
    """`gradients-vanish`."""
    noted = [job for job in run.jobs if any(np.isfinite(vanished).any() for vanished in job.noted("vanished"))]
    blind = (run.calls or {}).get("without_gradient", [])
    seen: list[Sighting] = [(None, f"no gradient comes through the prediction of {task}") for task in blind]
    for job in noted:
        lost, among = _lost(job, run)
        share = lost / among if among else 0.0
        if share > SHARE:
            seen.append((str(job), f"the first gradient was zero on {share:.0%} of {counted(among, 'image')}"))
    return seen if noted else None


def _lost(job: Job, run: Finished) -> tuple[int, int]:
    """On how many images the first gradient was zero, and of how many: those with labels for the attack's task."""
    lost = among = 0
    for rows, vanished in zip(blocks(len(job.outcome.diagnostics)), job.noted("vanished"), strict=True):
        counting = np.isfinite(vanished) & _has_labels(job, run, rows)
        lost += int((vanished[counting] > 0).sum())
        among += int(counting.sum())
    return lost, among


def _has_labels(job: Job, run: Finished, rows: slice) -> NDArray[np.bool_]:
    """Of some images those with valid pixels for the task that the attack is after (any task for the others): without a
    label no loss has a gradient."""
    task = job.name.partition("+")[0].partition(":")[2]
    valid = {name: part_of(run.clean.statistics[name], rows)[:, 0] > 0 for name in run.tasks}
    labelled: NDArray[np.bool_] = valid[task] if task in valid else np.any(list(valid.values()), 0)
    return labelled

"""Whether there were gradients to follow."""

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.trust.run import Finished, Job, Sighting
from mtlattack.evidence import DIAGNOSTICS

SHARE = 0.05


def gradients_vanish(run: Finished) -> list[Sighting] | None:
    """`gradients-vanish`."""
    noted = [(job, job.outcome.diagnostics[:, DIAGNOSTICS.index("vanished")]) for job in run.jobs]
    noted = [(job, vanished) for job, vanished in noted if np.isfinite(vanished).any()]
    blind = (run.calls or {}).get("without_gradient", [])
    seen: list[Sighting] = [(None, f"no gradient comes through the prediction of {task}") for task in blind]
    for job, vanished in noted:
        counting = np.isfinite(vanished) & _has_labels(job, run)
        share = float((vanished[counting] > 0).mean()) if counting.any() else 0.0
        if share > SHARE:
            seen.append((str(job), f"the first gradient was zero on {share:.0%} of {counting.sum()} images"))
    return seen if noted else None


def _has_labels(job: Job, run: Finished) -> NDArray[np.bool_]:
    """The images with valid pixels for the task that the attack is after (any task for the others): without a label no
    loss has a gradient."""
    task = job.name.partition("+")[0].partition(":")[2]
    valid = {name: run.clean.statistics[name][:, 0] > 0 for name in run.tasks}
    labelled: NDArray[np.bool_] = valid[task] if task in valid else np.any(list(valid.values()), 0)
    return labelled

"""From a row's evidence to its record, though strangers submitted it."""

import numpy as np

from mtlattack.analysis import Record, Report
from mtlattack.canonical import canonical_json
from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.rows.plan import check_evidence

# Images that are resampled, and statistics × jobs for which that is done: forty times what a real run has.
_MOST_IMAGES, _MOST_COLUMNS = 20_000, 1_000_000


def record_of(evidence: Evidence) -> Record:
    """The record of submitted evidence; InputError names what in its plan or circumstances is wrong, or what would take
    minutes or gigabytes to derive."""
    check_evidence(evidence)
    check_work(evidence)
    with np.errstate(over="ignore", invalid="ignore"):
        record = Report.from_evidence(evidence).record
    try:
        canonical_json(record.model_dump(mode="python"))
    except ValueError:
        raise InputError("evidence: a number that is derived from it is not finite") from None
    return record


def check_work(evidence: Evidence) -> None:
    """InputError if deriving would take minutes, or gigabytes: no suite needs that."""
    columns = sum(len(task.statistics_names) for task in evidence.tasks.values())
    ensembles = evidence.plan.get("ensembles")
    members = [e.get("members") for e in ensembles if isinstance(e, dict)] if isinstance(ensembles, list) else []
    jobs = len(evidence.attacked) + 1 + sum(2 + len(m) for m in members if isinstance(m, list))
    if len(evidence.ids) > _MOST_IMAGES:
        raise InputError(f"data.images: {len(evidence.ids):,} images, at most {_MOST_IMAGES:,} are resampled")
    if columns * jobs > _MOST_COLUMNS:
        raise InputError(
            f"attacks: {jobs:,} of them × {columns:,} statistics are {columns * jobs:,}, at most {_MOST_COLUMNS:,} are "
            "resampled"
        )

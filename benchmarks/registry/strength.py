"""How strong attacks are, and how much stronger than the reference, image by image the same."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtlattack.analysis.change import Change, measure_change, weighted_metrics
from mtlattack.analysis.report import BOOTSTRAP_SEED, RESAMPLES, interval
from mtlattack.analysis.resampling import resampling_weights
from mtlattack.analysis.summaries import SUMMARIES, Summary
from mtlattack.evidence import Evidence

REFERENCE = "apgd-dgba"


def strengths(evidence: Mapping[str, Evidence]) -> list[dict[str, Any]]:
    """A row an attack: what sums it up, and how much more loss it makes than the reference, with intervals."""
    changes = {name: changes_of(one)[0] for name, one in evidence.items()}
    reference = changes.get(REFERENCE)
    rows = []
    for name, change in changes.items():
        planned = evidence[name].plan["attacks"][0]
        record = evidence[name].report().record.attacks[0]
        row: dict[str, Any] = {"name": name, "config": planned["config"], "gap": record.gap, "found": record.found}
        row |= {key: planned[key] for key in ("forward_passes", "backward_passes")} | {"seconds": record.seconds}
        row["task_change"] = record.task_change
        row |= {summary.key: summary.of(record).model_dump() for summary in SUMMARIES}
        if reference is not None:
            row["loss_change_difference"] = interval(change.loss_change - reference.loss_change).model_dump()
        rows.append(row)
    return rows


def changes_of(evidence: Evidence) -> list[Change]:
    """How each attack changed the results, over all images and over resamples of them."""
    weights = resampling_weights(len(evidence.ids), RESAMPLES, BOOTSTRAP_SEED)
    clean = weighted_metrics(evidence.clean.statistics, evidence.tasks, weights)
    return [measure_change(evidence.clean, clean, outcome, evidence.tasks, weights) for outcome in evidence.attacked]


def strongest(rows: list[dict[str, Any]], summary: Summary) -> dict[str, Any]:
    """The row that an attacker by this number would choose."""
    sign = -1 if summary.strong_is_low else 1
    return max(rows, key=lambda row: sign * np.nan_to_num(row[summary.key]["value"] or 0.0))

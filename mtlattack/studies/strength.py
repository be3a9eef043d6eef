"""How strong attacks are on a model, by four measures, each under resamples of the images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.report import Analysis, analyse
from mtlattack.analysis.trust import Job
from mtlattack.attacks import Attack
from mtlattack.data import PreparedDataset
from mtlattack.evaluation import evaluate
from mtlattack.evidence.places import EVIDENCE
from mtlattack.tasks import Model

Array = NDArray[np.float64]

RESAMPLES = 200
MEASURES = {
    "loss_change": ("mean relative loss change", 1),
    "log_ratio": ("mean log loss ratio", 1),
    "arp": ("average relative performance", -1),
    "skill": ("skill that is left", -1),
}
"""By name what it is, and the sign under which more is a stronger attack."""


def attacked(
    model: Model, data: PreparedDataset, attacks: Mapping[str, Attack], folder: Path, name: str
) -> dict[str, Any]:
    """Evaluate under attacks that go by labels, and give `strength` of each with the clean skill.

    The evidence is kept in `folder`, where a run that was killed goes on.
    """
    run = evaluate(model, data, list(attacks.values()), path=folder / EVIDENCE, name=name, device="cpu")
    analysis = analyse(run, RESAMPLES)
    clean = analysis.skill(analysis.clean_metrics)
    return {
        "images": len(run.ids),
        "clean_skill": [] if clean is None else rounded(clean.mean),
        "attacks": {label: strength(job, analysis) for label, job in zip(attacks, analysis.jobs, strict=True)},
        "passes": {label: attack.cost(len(run.tasks)).backward for label, attack in attacks.items()},
    }


def strength(job: Job, analysis: Analysis) -> dict[str, list[float]]:
    """Every measure of an attack, and by task the relative change (`task:…`), `[1 + RESAMPLES]` each: on the images as
    they are, then on resamples that are the same for all attacks."""
    change, skill = job.change, analysis.skill(job.change.metrics)
    numbers = {"loss_change": change.loss_change, "log_ratio": change.log_ratio, "arp": change.arp}
    if skill is not None:
        numbers["skill"] = skill.mean
    numbers |= {f"task:{task}": values for task, values in change.tasks.items()}
    return {name: rounded(values) for name, values in numbers.items()}


def stronger(numbers: Mapping[str, Any], one: str, other: str, measure: str) -> Array:
    """By how much one attack of a cell is stronger than another, `[1 + RESAMPLES]`, paired over images."""
    sign = MEASURES[measure][1]
    pair = [np.array(numbers["attacks"][label][measure]) for label in (one, other)]
    return sign * (pair[0] - pair[1])


def rounded(values: Sequence[float] | Array) -> list[float]:
    """Six digits, for JSON."""
    return [float(f"{value:.6g}") for value in np.asarray(values, np.float64)]

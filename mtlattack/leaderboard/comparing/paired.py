"""Two models on the same images: the bootstrap of their difference, each resample drawn for both at once.

What the images have in common cancels, so that the interval of the difference is tighter than the intervals of the two
let expect (paired bootstrap: Efron & Tibshirani 1993, ch. 8; Koehn 2004, "Statistical Significance Tests").
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mtlattack.analysis import Interval
from mtlattack.analysis.change import Change
from mtlattack.analysis.report import Analysis, analyse, interval
from mtlattack.analysis.resampling import Array
from mtlattack.analysis.skill import Skill
from mtlattack.errors import InputError
from mtlattack.evidence import Evidence

CLEAN, ROBUST = "clean", "robust"
Key = tuple[str, float]
# Names as those of summaries.
Numbers = Mapping[str, Array]


@dataclass(frozen=True)
class PairedDifference:
    """Second minus first under one attack at one ε (image units): by summary, as shares, with 95 % intervals over
    images; what is undefined for one of both is not there.

    CLEAN is without attack, at ε 0; ROBUST is each model under the attack that leaves it the least skill.
    """

    attack: str
    eps: float
    numbers: Mapping[str, Interval]


def paired_differences(one: Evidence, two: Evidence) -> list[PairedDifference]:
    """The differences without attack, then under each attack that both met in the order of the first, then the robust
    ones; skill where both have a constant answer.

    InputError unless both are of the same images in the same order.
    """
    if one.ids != two.ids:
        raise InputError("the two rows were not measured on the same images in the same order: nothing can be paired")
    # Resamples depend on number of images and seed alone: row r of both analyses draws the same images.
    first, second = _numbers(analyse(one)), _numbers(analyse(two))
    return [_difference(key, numbers, second[key]) for key, numbers in first.items() if key in second]


def _numbers(analysis: Analysis) -> dict[Key, Numbers]:
    """By attack and ε what is compared, each `[1 + resamples]`; the images as they are first."""
    attacked = {key: _of_change(change, left) for key, change, left in _changes(analysis)}
    robust: dict[Key, Numbers] = {}
    for (_, eps), numbers in attacked.items():
        if "skill" in numbers and np.isfinite(numbers["skill"][0]):
            least = robust.setdefault((ROBUST, eps), numbers)
            if numbers["skill"][0] < least["skill"][0]:
                robust[ROBUST, eps] = numbers
    only_skill = {key: {"skill": numbers["skill"]} for key, numbers in robust.items()}
    return {(CLEAN, 0.0): _mean(analysis.skill(analysis.clean_metrics)), **attacked, **only_skill}


def _changes(analysis: Analysis) -> Iterator[tuple[Key, Change, Skill | None]]:
    """Every attack's change and the skill that it leaves, then every ensemble's."""
    for job in analysis.jobs:
        yield (job.config["name"], job.config["eps"]), job.change, analysis.skill(job.change.metrics)
    ensembles = analysis.evidence.plan.get("ensembles", [])
    for ensemble, change, left in zip(ensembles, analysis.ensembles, analysis.ensemble_skills, strict=True):
        yield (ensemble["name"], ensemble["eps"]), change, left


def _of_change(change: Change, left: Skill | None) -> Numbers:
    ours = {"log_ratio": change.log_ratio, "loss_change": change.loss_change, "arp": change.arp}
    return {**_mean(left), **ours}


def _mean(left: Skill | None) -> Numbers:
    return {} if left is None else {"skill": left.mean}


def _difference(key: Key, one: Numbers, two: Numbers) -> PairedDifference:
    return PairedDifference(*key, {name: interval(two[name] - one[name]) for name in one if name in two})

"""Two models on the same images: the bootstrap of their difference, each resample drawn for both at once.

What the images have in common cancels, so that the interval of the difference is tighter than the intervals of the two
let expect (paired bootstrap: Efron & Tibshirani 1993, ch. 8; Koehn 2004, "Statistical Significance Tests").
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mtlattack.analysis import Interval
from mtlattack.analysis.change import Change
from mtlattack.analysis.report import Analysis, analyse, interval
from mtlattack.errors import InputError
from mtlattack.evidence import Evidence

Key = tuple[str, float]


@dataclass(frozen=True)
class PairedDifference:
    """Second minus first under one attack: what it lost less or more, as shares, with 95 % intervals over images."""

    attack: str
    eps: float
    log_ratio: Interval
    loss_change: Interval
    arp: Interval


def paired_differences(one: Evidence, two: Evidence) -> list[PairedDifference]:
    """The differences under each attack that both met, in the order of the first.

    InputError unless both are of the same images in the same order.
    """
    if one.ids != two.ids:
        raise InputError("the two rows were not measured on the same images in the same order: nothing can be paired")
    # Resamples depend on number of images and seed alone: row r of both analyses draws the same images.
    first, second = dict(_changes(analyse(one))), dict(_changes(analyse(two)))
    return [_difference(key, change, second[key]) for key, change in first.items() if key in second]


def _changes(analysis: Analysis) -> Iterator[tuple[Key, Change]]:
    """Every attack's change, then every ensemble's."""
    for job in analysis.jobs:
        yield (job.config["name"], job.config["eps"]), job.change
    for ensemble, change in zip(analysis.evidence.plan.get("ensembles", []), analysis.ensembles, strict=True):
        yield (ensemble["name"], ensemble["eps"]), change


def _difference(key: Key, one: Change, two: Change) -> PairedDifference:
    return PairedDifference(
        *key,
        log_ratio=interval(two.log_ratio - one.log_ratio),
        loss_change=interval(two.loss_change - one.loss_change),
        arp=interval(two.arp - one.arp),
    )

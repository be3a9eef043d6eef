"""What images took from a victim, under each resample of the images and image by image."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtlattack.analysis.change import loss_ratio, measure_change, weighted_metrics
from mtlattack.analysis.report import BOOTSTRAP_SEED, RESAMPLES
from mtlattack.analysis.resampling import Array, Weights, resampling_weights
from mtlattack.analysis.skill import constant_metrics, measure_skill
from mtlattack.evidence import Evidence, Outcome


@dataclass(frozen=True)
class Damage:
    """Of one attack on one victim: skill lost `[R]` and mean log loss ratio `[R]`, one value a row of the resampling
    weights, and the log loss ratio of each image `[N]`, mean over its labelled tasks, NaN where it has none."""

    lost: Array
    log_ratio: Array
    images: Array

    def per_image_above(self, other: "Damage") -> Array:
        """By how much more the log loss of each labelled image rose than under the other."""
        return (self.images - other.images)[np.isfinite(self.images) & np.isfinite(other.images)]


@dataclass(frozen=True)
class Victim:
    """A column of a matrix: skill without attack `[R]`, the floor, the own white-box attack, and each source."""

    clean: Array
    noise: Damage
    own: Damage
    sources: list[Damage]


def weights_for(images: int) -> Weights:
    """The resamples of every record: row r draws the same images for all victims, so all differences are paired."""
    return resampling_weights(images, RESAMPLES, BOOTSTRAP_SEED)


def victim_of(evidence: Evidence, tasks: Sequence[str], sources: Sequence[int], own: int) -> Victim:
    """A victim's column from its evidence, whose first attack is the floor; only `tasks` count. `sources` and `own` are
    places among the attacks."""
    evidence = restricted(evidence, tasks)
    weights = weights_for(len(evidence.ids))
    clean_metrics = weighted_metrics(evidence.clean.statistics, evidence.tasks, weights)
    constant = constant_metrics(evidence, weights)
    assert constant is not None  # there is none in evidence of older formats alone, which no transfer wrote
    clean = measure_skill(clean_metrics, constant, evidence.tasks).mean

    def damage(place: int) -> Damage:
        outcome = evidence.attacked[place]
        change = measure_change(evidence.clean, clean_metrics, outcome, evidence.tasks, weights)
        left = measure_skill(change.metrics, constant, evidence.tasks).mean
        ratio, valid = loss_ratio(evidence.clean, outcome, evidence.tasks)
        counts = valid.sum(1)
        sums = np.where(valid, np.log(ratio), 0).sum(1)
        images = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
        return Damage(clean - left, change.log_ratio, images)

    found = {place: damage(place) for place in {0, own, *sources}}
    return Victim(clean, found[0], found[own], [found[place] for place in sources])


def restricted(evidence: Evidence, tasks: Sequence[str]) -> Evidence:
    """The same evidence of some of its tasks."""
    columns = [list(evidence.tasks).index(name) for name in tasks]

    def outcome(whole: Outcome) -> Outcome:
        statistics = {name: whole.statistics[name] for name in tasks}
        return replace(whole, losses=whole.losses[:, columns], statistics=statistics)

    constant = None if evidence.constant is None else {name: evidence.constant[name] for name in tasks}
    return replace(
        evidence,
        tasks={name: evidence.tasks[name] for name in tasks},
        clean=outcome(evidence.clean),
        attacked=[outcome(each) for each in evidence.attacked],
        constant=constant,
    )

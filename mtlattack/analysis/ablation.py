"""What each member adds to an ensemble: what is lost without it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtlattack.analysis.change import Change, weighted_metrics
from mtlattack.analysis.ensembles import ensemble_change, ensemble_skill
from mtlattack.analysis.record import Interval
from mtlattack.analysis.report import BOOTSTRAP_SEED, RESAMPLES, interval
from mtlattack.analysis.resampling import Array, resampling_weights
from mtlattack.analysis.skill import Skill
from mtlattack.evidence import Evidence


@dataclass(frozen=True)
class Contribution:
    """With a member minus without it, each under the same resamples of the images.

    The joint choice is made by `loss_change`, which is not negative where every image has valid pixels for every task;
    `log_ratio` may be. `skill`, None for evidence without constant answers, `arp` and `worst` are negative where the
    member makes the ensemble stronger.
    """

    skill: Interval | None
    loss_change: Interval
    log_ratio: Interval
    arp: Interval
    worst: Interval


def ablation(evidence: Evidence, ensemble: Mapping[str, Any]) -> dict[str, Contribution]:
    """By the names of the members of one of `evidence.plan["ensembles"]`; empty if there is only one."""
    places = ensemble["members"]
    weights = resampling_weights(len(evidence.ids), RESAMPLES, BOOTSTRAP_SEED)
    clean_metrics = weighted_metrics(evidence.clean.statistics, evidence.tasks, weights)

    constant = None if evidence.constant is None else weighted_metrics(evidence.constant, evidence.tasks, weights)

    def measure(members: list[int]) -> tuple[Change, Skill | None]:
        outcomes = [evidence.attacked[place] for place in members]
        change = ensemble_change(evidence.clean, clean_metrics, outcomes, evidence.tasks, weights)
        return change, ensemble_skill(outcomes, evidence, constant, weights)

    def contribution(place: int) -> Contribution:
        less, left = measure([other for other in places if other != place])
        pairs: list[tuple[Array, Array]] = [
            (whole.loss_change, less.loss_change),
            (whole.log_ratio, less.log_ratio),
            (whole.arp, less.arp),
            (whole.worst, less.worst),
        ]
        skill = None if remaining is None or left is None else interval(remaining.mean - left.mean)
        return Contribution(skill, *(interval(one - other) for one, other in pairs))

    whole, remaining = measure(places)
    names = {place: evidence.plan["attacks"][place]["config"]["name"] for place in places}
    return {names[place]: contribution(place) for place in places} if len(places) > 1 else {}

"""What each member adds to an ensemble: what is lost without it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtlattack.analysis.change import Array, Change, resampling_weights, weighted_metrics
from mtlattack.analysis.ensembles import ensemble_change
from mtlattack.analysis.record import Interval
from mtlattack.analysis.report import BOOTSTRAP_SEED, RESAMPLES, interval
from mtlattack.evidence import Evidence


@dataclass(frozen=True)
class Contribution:
    """With a member minus without it, each under the same resamples of the images.

    The joint choice is made by `loss_change`, which is not negative where every image has valid pixels for every task;
    `log_ratio` may be. `arp` and `worst` are negative where the member makes the ensemble stronger.
    """

    loss_change: Interval
    log_ratio: Interval
    arp: Interval
    worst: Interval


def ablation(evidence: Evidence, ensemble: Mapping[str, Any]) -> dict[str, Contribution]:
    """By the names of the members of one of `evidence.plan["ensembles"]`; empty if there is only one."""
    places = ensemble["members"]
    weights = resampling_weights(len(evidence.ids), RESAMPLES, BOOTSTRAP_SEED)
    clean_metrics = weighted_metrics(evidence.clean.statistics, evidence.tasks, weights)

    def change(members: list[int]) -> Change:
        outcomes = [evidence.attacked[place] for place in members]
        return ensemble_change(evidence.clean, clean_metrics, outcomes, evidence.tasks, weights)

    def contribution(place: int) -> Contribution:
        less = change([other for other in places if other != place])
        pairs: list[tuple[Array, Array]] = [
            (whole.loss_change, less.loss_change),
            (whole.log_ratio, less.log_ratio),
            (whole.arp, less.arp),
            (whole.worst, less.worst),
        ]
        return Contribution(*(interval(one - other) for one, other in pairs))

    whole = change(places)
    names = {place: evidence.plan["attacks"][place]["config"]["name"] for place in places}
    return {names[place]: contribution(place) for place in places} if len(places) > 1 else {}

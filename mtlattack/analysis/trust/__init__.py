"""What speaks against trusting a run's numbers; mtlattack/README.md says what each flag means and what to do."""

from collections.abc import Callable
from functools import partial

from mtlattack.analysis.record import Flag
from mtlattack.analysis.trust.calls import batch_dependent, random
from mtlattack.analysis.trust.effort import more_does_not_help
from mtlattack.analysis.trust.gradients import gradients_vanish
from mtlattack.analysis.trust.losses import loss_without_metric
from mtlattack.analysis.trust.rivals import black_box_beats_white_box, noise_as_strong
from mtlattack.analysis.trust.run import Finished, Job, Sighting
from mtlattack.analysis.trust.skill import doubted, no_better_than_constant

# What tasks may doubt when they look at first predictions.
DOUBTS = ("logit-scale", "wrong-unit", "negative-depth")
# A check gives what it has seen, attack (or None) and sentence, or None where the run leaves it nothing to look at.
CHECKS: dict[str, Callable[[Finished], list[Sighting] | None]] = {
    "gradients-vanish": gradients_vanish,
    "batch-dependent": batch_dependent,
    "random": random,
    "black-box-beats-white-box": black_box_beats_white_box,
    "noise-as-strong": noise_as_strong,
    "more-does-not-help": more_does_not_help,
    "loss-without-metric": loss_without_metric,
    "no-better-than-constant": no_better_than_constant,
    **{flag: partial(doubted, flag=flag) for flag in DOUBTS},
}

__all__ = ["CHECKS", "Finished", "Job", "raise_flags"]


def raise_flags(run: Finished) -> tuple[list[Flag], list[str]]:
    """The flags of a run, and the names of those that could be looked for in it."""
    seen = {name: check(run) for name, check in CHECKS.items()}
    checked = {name: sightings for name, sightings in seen.items() if sightings is not None}
    flags = [Flag(name=n, attack=attack, seen=text) for n, sightings in checked.items() for attack, text in sightings]
    return flags, list(checked)

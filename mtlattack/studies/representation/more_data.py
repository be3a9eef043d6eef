"""W1: more tasks, more source examples and more target examples lower the excess risk, at a rate of at least ½."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtlattack.studies.outcomes import listed, together
from mtlattack.studies.representation.reading import Sweep, sweeps
from mtlattack.studies.slopes import interval, loglog_slope, resampled_means
from mtlattack.studies.study import Claim, Measured, Outcome, Verdict

# Whose excess is looked at, and whose stays when the axis grows without end (None: nothing does).
LEARNERS: dict[str, tuple[str, str | None]] = {"t": ("robust", "true"), "n": ("robust", "true"), "m": ("true", None)}
RATE = -0.5


class MoreData(Claim):
    name = "W1"
    sentence = (
        "Excess risk does not rise with t, n and m, and falls with log-log slope -1/2 or steeper before its floor."
    )
    rule = (
        "In each arm, for t and n (learner: both stages adversarial) and for m (learner: adversarial stage "
        "2 on h*): the slope of log mean excess on log size over the points before the floor, those whose "
        "mean excess is at least twice what stays as the axis grows without end (for t and n that of h* at "
        "the same m, for m nothing), of which three are needed; 95 % bootstrap intervals over seeds, "
        "Bonferroni over all sweeps. A sweep holds if the interval ends at or below -0.5 and no step to the"
        " next size raises the mean excess with an interval above 0 (corrected over its steps too); it "
        "fails if the interval begins above -0.5 or there is such a step. The claim holds if all sweeps do,"
        " and fails if any does."
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Apply the rule."""
        found = [sweep for axis in LEARNERS for sweep in sweeps(measured, axis)]
        outcomes: dict[str, Outcome] = {}
        numbers: dict[str, Any] = {}
        for sweep in found:
            name = f"{sweep.arm} {sweep.axis}"
            outcomes[name], numbers[name] = judge_sweep(sweep, len(found))
        slopes = [entry["slope"][0] for entry in numbers.values() if entry["slope"]]
        said = f"{listed(outcomes)}; slopes {max(slopes):.2f} to {min(slopes):.2f}" if slopes else listed(outcomes)
        return Verdict(together(outcomes), said, numbers)


def judge_sweep(sweep: Sweep, comparisons: int) -> tuple[Outcome, dict[str, Any]]:
    """The rule for one sweep, and its numbers."""
    learner, stays = LEARNERS[sweep.axis]
    excess = sweep.excess[learner]
    floor = sweep.excess[stays].mean(0) if stays else np.zeros(excess.shape[1])
    before = excess.mean(0) >= 2 * floor
    means = resampled_means(excess)
    steps = means[:, 1:] - means[:, :-1]
    rises = [interval(steps[:, index], comparisons * steps.shape[1]).low > 0 for index in range(steps.shape[1])]
    numbers: dict[str, Any] = {
        "values": sweep.values,
        "mean_excess": excess.mean(0).tolist(),
        "before_floor": before.tolist(),
        "rises": rises,
        "slope": None,
    }
    outcome: Outcome = "fails" if any(rises) else "undecided"
    if before.sum() >= 3:
        slope = loglog_slope(np.asarray(sweep.values)[before], excess[:, before], comparisons)
        numbers["slope"] = slope.plain()
        if slope.low > RATE:
            outcome = "fails"
        elif slope.high <= RATE and not any(rises):
            outcome = "holds"
    return outcome, numbers

"""W4: few target examples favour the shared representation, many the target task alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtlattack.studies.outcomes import listed, together
from mtlattack.studies.representation.reading import sweeps
from mtlattack.studies.slopes import interval, resampled_means
from mtlattack.studies.study import Claim, Measured, Outcome, Verdict


class Crossover(Claim):
    name = "W4"
    sentence = "The multi-task learner wins at small m, the single-task one at large m."
    rule = (
        "In each arm, the mean over seeds of excess(target alone) - excess(both stages adversarial), "
        "paired, with 95 % bootstrap intervals, Bonferroni over the arms and the two ends. An arm holds if "
        "the interval lies above 0 at the smallest m and below 0 at the largest; it fails if it lies below "
        "0 at the smallest, or above 0 at every m. The claim holds if all arms do, and fails if any does. "
        "The crossover is where the mean difference changes sign, interpolated in log m."
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Apply the rule."""
        found = sweeps(measured, "m")
        outcomes: dict[str, Outcome] = {}
        numbers: dict[str, Any] = {}
        said = []
        for sweep in found:
            means = resampled_means(sweep.excess["alone"] - sweep.excess["robust"])
            ends = [interval(means[:, index], 2 * len(found)) for index in range(means.shape[1])]
            outcome: Outcome = "undecided"
            if ends[0].high < 0 or all(each.low > 0 for each in ends):
                outcome = "fails"
            elif ends[0].low > 0 and ends[-1].high < 0:
                outcome = "holds"
            turns = crossings(sweep.values, means)
            crossing = interval(turns) if np.isfinite(turns[0]) else None
            outcomes[sweep.arm] = outcome
            numbers[sweep.arm] = {
                "m": sweep.values,
                "difference": [each.plain() for each in ends],
                "crossover": crossing and crossing.plain(),
            }
            if crossing is not None:
                said.append(f"{sweep.arm} at m = {crossing.text(0)}")
        where = f"; crossover {', '.join(said)}" if said else ""
        return Verdict(together(outcomes), listed(outcomes) + where, numbers)


def crossings(sizes: ArrayLike, differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first size at which differences `[R, X]` go from above 0 to 0 or below, interpolated in its log, `[R]`; NaN
    where they do not."""
    logs = np.log(np.asarray(sizes, np.float64))
    found = np.full(len(differences), np.nan)
    for index in range(differences.shape[1] - 1):
        one, other = differences[:, index], differences[:, index + 1]
        turns = np.isnan(found) & (one > 0) & (other <= 0)
        share = np.where(turns, one / np.where(turns, one - other, 1), 0)
        found[turns] = np.exp(logs[index] + share * (logs[index + 1] - logs[index]))[turns]
    return found

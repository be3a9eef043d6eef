"""W2: the less diverse the source tasks, the larger the excess risk."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtlattack.studies.outcomes import listed, together
from mtlattack.studies.representation.reading import numbers_of, sweeps
from mtlattack.studies.slopes import interval, loglog_slope, resampled_means
from mtlattack.studies.study import Claim, Measured, Outcome, Verdict


class Diversity(Claim):
    name = "W2"
    sentence = "Excess risk rises as the diversity of the source tasks shrinks."
    rule = (
        "In each arm, over the standard deviation of the source heads along their weakest direction (1 to "
        "0.1): the slope of log mean excess (both stages adversarial) on its log, with a 95 % bootstrap "
        "interval over seeds, Bonferroni over arms. An arm holds if the interval lies below 0 and no step "
        "to less diversity lowers the mean excess with an interval below 0 (corrected over its steps too); "
        "it fails if the interval lies above 0 or there is such a step. The claim holds if all arms do, and"
        " fails if any does. ν, searched for by its definition, stands beside."
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Apply the rule."""
        found = sweeps(measured, "weakest")
        outcomes: dict[str, Outcome] = {}
        numbers: dict[str, Any] = {}
        for sweep in found:
            excess = sweep.excess["robust"]  # by weakest ascending: the least diversity first
            slope = loglog_slope(sweep.values, excess, len(found))
            means = resampled_means(excess)
            gains = means[:, :-1] - means[:, 1:]
            falls = [interval(gains[:, i], len(found) * gains.shape[1]).high < 0 for i in range(gains.shape[1])]
            outcome: Outcome = "undecided"
            if slope.low > 0 or any(falls):
                outcome = "fails"
            elif slope.high < 0:
                outcome = "holds"
            outcomes[sweep.arm] = outcome
            numbers[sweep.arm] = {
                "weakest": sweep.values,
                "mean_excess": excess.mean(0).tolist(),
                "slope": slope.plain(),
                "falls": falls,
            } | {
                key: [float(np.median(each)) for each in numbers_of(measured, sweep.arm, "weakest", key)]
                for key in ("nu", "clean_nu", "proxy")
            }
        said = ", ".join(f"{arm} {numbers[arm]['slope'][0]:.2f}" for arm in outcomes)
        return Verdict(together(outcomes), f"{listed(outcomes)}; slopes {said}", numbers)

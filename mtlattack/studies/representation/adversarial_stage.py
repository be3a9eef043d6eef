"""W3: an adversarially trained stage 1 beats a clean one at equal stage 2, most where labels are few."""

from collections.abc import Sequence
from typing import Any

from mtlattack.studies.outcomes import listed, together
from mtlattack.studies.representation.reading import Sweep, sweeps
from mtlattack.studies.slopes import interval, resampled_means
from mtlattack.studies.study import Claim, Measured, Outcome, Verdict

# A difference below this share of the excess is none that anybody would train for.
WORTH = 0.1


class AdversarialStage(Claim):
    name = "W3"
    sentence = "An adversarial stage 1 beats a clean stage 1 at equal (adversarial) stage 2, most where m is small."
    rule = (
        "In each arm, over m: the mean over seeds of excess(clean stage 1) - excess(adversarial stage 1), "
        "paired, with 95 % bootstrap intervals, Bonferroni over arms and m. An arm holds if at the smallest"
        " m the interval lies above 0, at no m below 0, and the difference at the smallest m is larger than"
        " at the largest with an interval above 0. It fails if at some m the interval lies below 0, or if "
        "at the smallest m it lies within 10 % of the adversarial one's mean excess on either side: no "
        "difference worth the training. The claim holds if all arms do, and fails if any does."
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Apply the rule."""
        found = sweeps(measured, "m")
        outcomes: dict[str, Outcome] = {}
        numbers: dict[str, Any] = {}
        for sweep in found:
            outcomes[sweep.arm], numbers[sweep.arm] = _judge_arm(sweep, len(found) * len(sweep.values))
        said = ", ".join(
            f"{arm} {100 * entry['difference'][0][0] / entry['robust_excess'][0]:+.1f} %"
            for arm, entry in numbers.items()
        )
        return Verdict(
            together(outcomes), f"{listed(outcomes)}; what a clean stage 1 costs at the smallest m: {said}", numbers
        )


def _judge_arm(sweep: Sweep, comparisons: int) -> tuple[Outcome, dict[str, Any]]:
    means = resampled_means(sweep.excess["clean"] - sweep.excess["robust"])
    differences = [interval(means[:, index], comparisons) for index in range(means.shape[1])]
    fading = interval(means[:, 0] - means[:, -1], comparisons)
    robust = sweep.excess["robust"].mean(0)
    first, small = differences[0], WORTH * float(robust[0])
    outcome: Outcome = "undecided"
    if any(each.high < 0 for each in differences) or (first.low > -small and first.high < small):
        outcome = "fails"
    elif first.low > 0 and fading.low > 0:
        outcome = "holds"
    return outcome, {
        "m": sweep.values,
        "robust_excess": robust.tolist(),
        "difference": [each.plain() for each in differences],
        "smallest_minus_largest": fading.plain(),
    }

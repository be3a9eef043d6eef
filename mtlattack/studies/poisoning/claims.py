"""P1, P3 and P4: claims on what all attacks of one split do."""

from collections.abc import Mapping, Sequence
from typing import Any

from mtlattack.studies.outcomes import listed, together
from mtlattack.studies.poisoning.reading import TEST, Difference, by_mode, compared
from mtlattack.studies.study import Claim, Measured, Outcome, Verdict


def verdict(outcomes: Mapping[str, Outcome], numbers: Mapping[str, Any], shown: Mapping[str, Difference]) -> Verdict:
    """Of tables and modes one: holds if all do, fails if any does; said with their numbers."""
    said = "; ".join(f"{name} {difference}" for name, difference in shown.items())
    return Verdict(together(outcomes), f"{listed(outcomes)} · {said}" if said else "nothing measured", numbers)


class Stronger(Claim):
    name = "P1"
    sentence = "PATOM harms the targets more than random points do, direct and indirect."
    rule = (
        "For each table and mode: the targets' mean test error after PATOM (exact, fixed labels, a fifth of each "
        f"attacked task) minus that after as many random points, paired within a split; {TEST}. A table and mode holds "
        "if the mean is above 0, fails if below; the claim holds if all do, and fails if any does. The victim learns "
        "from nothing by the alternating solver."
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Apply the rule."""
        found = compared(by_mode(measured, lambda attacks: attacks["patom"]["error"] - attacks["random"]["error"]))
        outcomes = {name: each.outcome for name, each in found.items()}
        return verdict(outcomes, {name: each.plain() for name, each in found.items()}, found)


class Correlated(Claim):
    name = "P3"
    sentence = "Attacked tasks become strongly correlated with each other."
    rule = (
        "For each table and mode: the mean |correlation| of learned tasks over pairs within the attacked group, after "
        "PATOM minus clean (its own baseline, of the same split), and after PATOM minus after random points; "
        f"{TEST}. A table and mode holds if both means are above 0, fails if that over clean is below 0; the claim "
        "holds if all do, and fails if any does."
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Apply the rule."""
        clean = by_mode(measured, lambda attacks: attacks["patom"]["within"] - attacks["clean"]["within"])
        random = by_mode(measured, lambda attacks: attacks["patom"]["within"] - attacks["random"]["within"])
        both = compared(
            {f"{name} - clean": values for name, values in clean.items()}
            | {f"{name} - random": values for name, values in random.items()}
        )
        outcomes: dict[str, Outcome] = {}
        for name in clean:
            over_clean, over_random = both[f"{name} - clean"].outcome, both[f"{name} - random"].outcome
            holds = over_clean == over_random == "holds"
            outcomes[name] = "holds" if holds else "fails" if over_clean == "fails" else "undecided"
        numbers = {name: each.plain() for name, each in both.items()}
        return verdict(outcomes, numbers, {name: both[f"{name} - clean"] for name in clean})


class Exact(Claim):
    name = "P4"
    sentence = "The exact gradient through Ω reaches a higher utility than with Ω held fixed, at equal iterations."
    rule = (
        "For each table and mode: the utility (the targets' loss on their clean training points, victim learned anew) "
        f"after PATOM with the exact gradient minus that with the frozen one, paired within a split; {TEST}. A table "
        "and mode holds if the mean is above 0, fails if below; the claim holds if all do, and fails if any does."
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Apply the rule."""
        found = compared(by_mode(measured, lambda attacks: attacks["patom"]["utility"] - attacks["frozen"]["utility"]))
        outcomes = {name: each.outcome for name, each in found.items()}
        return verdict(outcomes, {name: each.plain() for name, each in found.items()}, found)

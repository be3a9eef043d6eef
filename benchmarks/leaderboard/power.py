"""Which forgeries `verify` finds: an attack's log loss ratios made smaller than an honest run had them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from spread import Runs
from variations import ARITHMETICS

from mtlattack.evidence import Outcome
from mtlattack.leaderboard.verifying.agreement import Pair, attacked_differences, clean_differences, rows_of
from mtlattack.leaderboard.verifying.tolerances import judge_attack, judge_clean

FORGERIES = (0.0, 0.0025, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.1)


def measure_power(runs: Runs, subsets: Sequence[list[int]]) -> list[dict[str, Any]]:
    """For each forgery (0: none) and arithmetic of the verifier, the share of attacks × subsets × verifiers at which
    `verify` disputes it, by whether the attack is on several tasks (`joint`) or one (`single`).

    The row is the first run, the verifier each of the others. The metrics stay as they were, and the clean pass must
    agree: a share of the forgery 0 is that of honest rows disputed.
    """
    (_, reported), *verifiers = runs
    counts: dict[tuple[float, str, str], list[bool]] = defaultdict(list)
    for variation, found in verifiers:
        arithmetic = ARITHMETICS[variation.arithmetic]
        for rows in subsets:
            clean = Pair(rows_of(reported.clean, rows), rows_of(found.clean, rows))
            fits = judge_clean(clean_differences(clean, reported.tasks), len(rows), arithmetic).ok
            for planned, before, after in zip(reported.plan["attacks"], reported.attacked, found.attacked, strict=True):
                name, eps = planned["config"]["name"], planned["config"]["eps"]
                kind = "single" if "-single:" in name else "joint"
                for forgery in FORGERIES:
                    said = _weakened(clean.reported, rows_of(before, rows), forgery)
                    pair = Pair(said, rows_of(after, rows))
                    differences = attacked_differences(clean, pair, reported.tasks)
                    judged = judge_attack(name, eps, differences, len(rows), arithmetic)
                    counts[forgery, variation.arithmetic, kind].append(not (fits and judged.ok))
    return [
        {"forgery": forgery, "verifier": arithmetic, "attacks": kind, "found": float(np.mean(x)), "count": len(x)}
        for (forgery, arithmetic, kind), x in counts.items()
    ]


def _weakened(clean: Outcome, attacked: Outcome, share: float) -> Outcome:
    """The attacked outcome with every log loss ratio smaller by a share of it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        losses = np.where(clean.losses > 0, clean.losses * (attacked.losses / clean.losses) ** (1 - share), 0)
    return replace(attacked, losses=losses)

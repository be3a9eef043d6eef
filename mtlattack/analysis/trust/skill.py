"""Whether the predictions are worth attacking: better than a constant, in the labels' unit, at a sound scale."""

import numpy as np

from mtlattack.analysis.change import bounds
from mtlattack.analysis.skill import measure_skill
from mtlattack.analysis.trust.run import Finished, Sighting

# Skill below which a task might as well be answered by a constant.
LEAST = 0.05


def no_better_than_constant(run: Finished) -> list[Sighting] | None:
    """`no-better-than-constant`."""
    if run.constant is None:
        return None
    skill = measure_skill(run.clean_metrics, run.constant, run.tasks)
    seen: list[Sighting] = []
    for name, values in skill.tasks.items():
        if np.isfinite(values[0]) and values[0] < LEAST:
            low, high = bounds(values)
            text = f"the clean predictions of {name} are hardly better than one constant answer: skill {values[0]:.2f}"
            seen.append((None, f"{text} [{low:.2f}, {high:.2f}]"))
    return seen


def doubted(run: Finished, flag: str) -> list[Sighting] | None:
    """What the first predictions show of a wrong scale or unit, as the tasks judge it that know of this flag."""
    looks = (run.calls or {}).get("looks")
    judging = {name: task for name, task in run.tasks.items() if flag in task.doubtful}
    if looks is None or not judging:
        return None
    doubts = [doubt for name, task in judging.items() for doubt in task.doubts(looks.get(name, {}))]
    return [(None, sentence) for raised, sentence in doubts if raised == flag]

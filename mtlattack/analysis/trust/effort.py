"""Whether more steps, or a larger ε, make an attack stronger."""

import json
from itertools import pairwise

from mtlattack.analysis.change import bounds
from mtlattack.analysis.trust.run import Finished, Job, Sighting
from mtlattack.wording import counted

# A default step size follows from steps and ε, and does not make another attack.
_DERIVED = "step_size"


def more_does_not_help(run: Finished) -> list[Sighting] | None:
    """`more-does-not-help`."""
    larger, longer = _pairs(run, "eps"), _pairs(run, "steps")
    seen: list[Sighting] = []
    for less, more in larger:
        low, high = bounds(more.strength - less.strength)
        if high <= 0:
            seen.append((str(more), f"{_text(less, more)} than at {less.threat} (difference [{low:.2g}, {high:.2g}])"))
    for less, more in longer:
        low, high = bounds(more.strength - less.strength)
        if high < 0:
            steps = f"{counted(more.config['steps'], 'step')}: {_text(less, more)} than with {less.config['steps']}"
            seen.append((str(more), f"{steps} (difference [{low:.2g}, {high:.2g}])"))
    return seen if larger or longer else None


def _pairs(run: Finished, key: str) -> list[tuple[Job, Job]]:
    """Attacks that differ in `key` alone, each with that of the next higher value."""
    groups: dict[str, list[Job]] = {}
    for job in run.jobs:
        if key in job.config and not job.seeks_smallest and not job.targeted:
            rest = {name: value for name, value in job.config.items() if name not in (key, _DERIVED)}
            groups.setdefault(json.dumps(rest, sort_keys=True), []).append(job)
    ordered = [sorted(jobs, key=lambda job: float(job.config[key])) for jobs in groups.values()]
    return [pair for jobs in ordered for pair in pairwise(jobs) if pair[0].config[key] < pair[1].config[key]]


def _text(less: Job, more: Job) -> str:
    return f"the mean log loss ratio is {more.strength[0]:.3g}, not more than the {less.strength[0]:.3g}"

"""Who attacks whom with how many points."""

from collections.abc import Sequence
from enum import StrEnum

from mtlattack.errors import InputError
from mtlattack.poisoning.tasks import TaskSet
from mtlattack.wording import counted


class Mode(StrEnum):
    """How attacked tasks and targets lie to each other: the same, disjoint, or anything else."""

    DIRECT = "direct"
    INDIRECT = "indirect"
    MIXED = "mixed"


def mode_of(targets: Sequence[int], attacked: Sequence[int]) -> Mode:
    """What the two sets of tasks are to each other."""
    if set(targets) == set(attacked):
        return Mode.DIRECT
    return Mode.MIXED if set(targets) & set(attacked) else Mode.INDIRECT


def check_mode(mode: Mode, tasks: TaskSet, targets: Sequence[int], attacked: Sequence[int]) -> None:
    """InputError unless these are what `mode` says."""
    found = mode_of(targets, attacked)
    if found is not mode:
        both = [tasks.names[i] for i in sorted(set(targets) & set(attacked))]
        shared = f"both name {', '.join(both[:4])}{', …' if len(both) > 4 else ''}" if both else "have none in common"
        expected = {
            Mode.DIRECT: "the same tasks",
            Mode.INDIRECT: "tasks of which none is both",
            Mode.MIXED: "some tasks in common",
        }
        raise InputError(f"targets and attacked tasks {shared}; a {mode} attack takes {expected[mode]}")


def injected_counts(tasks: TaskSet, attacked: Sequence[int], budget: float | int) -> dict[int, int]:
    """How many points go into each attacked task: `budget` of its size if it is a float, at least one, else so many
    together, spread by size. InputError for a share outside (0, 1], and for fewer points than attacked tasks."""
    if isinstance(budget, float):
        if not 0 < budget <= 1:
            raise InputError(f"budget {budget:g}, expected a share of a task's points, above 0 and up to 1")
        return {task: max(1, round(budget * tasks.sizes[task])) for task in attacked}
    if budget < len(attacked):
        raise InputError(
            f"budget of {counted(budget, 'point')} for {counted(len(attacked), 'attacked task')}, "
            "expected one each at least"
        )
    total = sum(tasks.sizes[task] for task in attacked)
    counts = {task: max(1, budget * tasks.sizes[task] // total) for task in attacked}
    # What rounding left goes to the largest tasks, and what the least tasks were lent comes from them.
    by_size = sorted(attacked, key=lambda task: -tasks.sizes[task])
    place = 0
    while (rest := budget - sum(counts.values())) != 0:
        task = by_size[place % len(by_size)]
        if rest > 0 or counts[task] > 1:
            counts[task] += 1 if rest > 0 else -1
        place += 1
    return counts

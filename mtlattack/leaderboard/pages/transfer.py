"""What each attack does to each task: a table that is coloured by how far the task falls."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from mtlattack.analysis import AttackResult
from mtlattack.analysis.tables import percent_change
from mtlattack.leaderboard.pages.columns import words

# How far a task falls, as a share of its clean value; the same in every map, so that maps compare.
STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_SINGLE = "-single:"


@dataclass(frozen=True)
class Cell:
    """What an attack did to a task: its text, its class of colour, and whether the attack aimed at this task alone."""

    text: str
    kind: str
    own: bool


@dataclass(frozen=True)
class Transfer:
    """By attack a cell a task; attacks on a single task first, in the order of the tasks."""

    tasks: list[str]
    lines: list[tuple[str, list[Cell]]]


def transfer_map(results: Sequence[AttackResult], tasks: Sequence[str]) -> Transfer:
    """The mean relative change of each task's metrics, of the attacks at one ε."""
    order = {task: place for place, task in enumerate(tasks)}
    sources = {result.name: _source(result.name) for result in results}
    ordered = sorted(results, key=lambda each: order.get(sources[each.name] or "", len(order)))
    lines = [
        (each.name, [_cell(each.task_change.get(task), task == sources[each.name]) for task in tasks])
        for each in ordered
    ]
    return Transfer([words(task) for task in tasks], lines)


def level_of(change: float) -> int:
    """Which of the 9 colours stands for a relative change (negative is worse): 0 for less than 2 %, 8 from 500 % on."""
    return bisect_right(STEPS, -change)


def _cell(change: float | None, own: bool) -> Cell:
    kind = "none" if change is None else f"seq-{level_of(change)}"
    return Cell(percent_change(change).replace("-", "\u2212").removesuffix("%"), kind, own)


def _source(attack: str) -> str | None:
    """The task that a single-task attack aims at, from its name."""
    _, found, rest = attack.partition(_SINGLE)
    return rest.partition("+")[0] if found else None

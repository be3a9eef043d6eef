"""Constant answers: those that skill is measured against are the best ones, as far as evidence can show it."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mtlattack.leaderboard.checking.contradictions import report
from mtlattack.leaderboard.checking.findings import Finding, refused
from mtlattack.leaderboard.checking.structure import Case
from mtlattack.tasks import Contradiction, Segmentation, Task, somewhere
from mtlattack.tasks.regression import Regression

Array = NDArray[np.float64]
# What some constant reaches on any labels: 0 has a relative error of 1, and of two opposite directions one is within
# 90° in the mean.
_ALWAYS_REACHED = {"rel_error": 1.0, "angle_mean": 90.0}
# Relative, for sums in float32.
_SUM = 1e-4


def check_constants(case: Case) -> Iterator[Finding]:
    """Answers without statistics or statistics without answers, what such statistics cannot be, and answers that are
    worse than others, by which skill would be inflated."""
    constants, statistics = case.plan.constants, case.evidence.constant
    if constants is None and statistics is None:
        return
    if constants is None or statistics is None:
        text = "statistics of constant answers" if constants is None else "constant answers in the plan"
        yield refused(case.path, "constants", f"the evidence: {text}, and the other is missing")
        return
    for name, task in case.evidence.tasks.items():
        place = f"constants.{name}"
        answer = constants.get(name)
        if answer is None or len(answer) != task.channels:
            said = "none" if answer is None else f"{len(answer)} values"
            yield refused(case.path, place, f"{said}, expected one for each of {task.channels} channels")
            continue
        for each in _contradictions(task, np.array(answer), statistics[name], case.evidence.clean.statistics[name]):
            yield from report(case, place, each)
        yield from _too_bad(case, place, task, statistics[name])
    if unknown := [name for name in constants if name not in case.evidence.tasks]:
        yield refused(case.path, f"constants.{unknown[0]}", "there is no such task")


def _contradictions(task: Task, answer: Array, found: Array, clean: Array) -> Iterator[Contradiction]:
    """What the statistics `[N, S]` of an answer cannot be, beside those of the clean run."""
    says = "what depends on the labels alone is not as in the clean run"
    yield Contradiction(somewhere(task.labels_of(found) != task.labels_of(clean)), says)
    yield Contradiction((found[:, 0] == 0) & somewhere(found != 0), "there is something without valid pixels")
    yield from task.contradictions(found, _losses(task, found))
    if isinstance(task, Segmentation):
        expected = _of_class(task, int(answer.argmax()), clean)
        yield Contradiction(somewhere(found != expected), "they are not those of one class at every pixel")


def _losses(task: Task, statistics: Array) -> Array:
    """Losses `[N]` of a constant answer, which no evidence has: those of L1 follow, NaN contradicts nothing."""
    if isinstance(task, Regression):
        return statistics[:, 1] / np.maximum(statistics[:, 0], 1)
    return np.full(len(statistics), np.nan)


def _of_class(task: Segmentation, answer: int, clean: Array) -> Array:
    """The statistics `[N, S]` of one class at every pixel, by how many pixels each class has in the labels."""
    hits, _, missed = np.split(clean[:, 1:], 3, axis=1)
    of_class = hits + missed
    chosen = np.arange(task.classes) == answer
    found = [np.where(chosen, of_class, 0), np.where(chosen, clean[:, :1] - of_class, 0), np.where(chosen, 0, of_class)]
    return np.concatenate([clean[:, :1], *found], 1)


def _too_bad(case: Case, place: str, task: Task, statistics: Array) -> Iterator[Finding]:
    """An answer that is worse, by the headline metric, than the best that is known without the labels."""
    value = float(task.metrics(statistics.sum(0))[task.headline])
    if isinstance(task, Segmentation):
        hits, _, missed = np.split(statistics[:, 1:].sum(0), 3)
        if (frequent := (hits + missed).max()) > hits.sum():
            text = f"its class has {hits.sum():.0f} pixels, the most frequent one {frequent:.0f}"
            yield refused(case.path, place, f"the evidence: not the best constant answer: {text}")
    elif (most := _ALWAYS_REACHED.get(task.headline)) is not None and value > most * (1 + _SUM):
        text = f"{task.headline} {value:.4g}, some constant has at most {most:g}"
        yield refused(case.path, place, f"the evidence: not the best constant answer: {text}")

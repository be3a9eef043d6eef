"""Constant answers: those that skill is measured against are the best ones, as far as evidence can show it."""

from collections.abc import Iterator

import numpy as np

from mtlattack.leaderboard.checking.contradictions import report
from mtlattack.leaderboard.checking.findings import Finding, refused
from mtlattack.leaderboard.checking.structure import Case
from mtlattack.wording import counted


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
        answer, found, clean = constants.get(name), statistics[name], case.evidence.clean.statistics[name]
        if answer is None or len(answer) != task.channels:
            said = "none" if answer is None else counted(len(answer), "value")
            yield refused(case.path, place, f"{said}, expected one for each of {counted(task.channels, 'channel')}")
            continue
        for each in task.constant_contradictions(np.array(answer), found, clean):
            yield from report(case, place, each)
        if fault := task.constant_fault(found.sum(0)):
            yield refused(case.path, place, f"the evidence: not the best constant answer: {fault}")
    if unknown := [name for name in constants if name not in case.evidence.tasks]:
        yield refused(case.path, f"constants.{unknown[0]}", "there is no such task")

"""Where a suite's time goes: the sections of its account, and the places in the library that open them.

The library knows nothing of this: functions and methods are wrapped from outside while a suite runs.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from ledger import REST, Ledger

from mtlattack.attacks import Attack, Threat
from mtlattack.attacks.balls import L2Ball, LinfBall
from mtlattack.data import Batch, PreparedDataset, read_ahead
from mtlattack.evaluation import runner
from mtlattack.evidence import EvidenceFile
from mtlattack.models import PreparedModel
from mtlattack.tasks import TaskMap

FORWARD, LOSSES, BACKWARD = "forward", "losses", "backward"
PROJECTION, BOOKKEEPING, MEASURING = "projection", "bookkeeping", "measuring"
READING, EVIDENCE, PREPARING, LOADING, REPORT = "reading", "evidence", "preparing", "loading", "report"

PASSES = (FORWARD, LOSSES, BACKWARD)
OUTSIDE = (PROJECTION, BOOKKEEPING, MEASURING, READING, EVIDENCE, PREPARING, LOADING, REPORT, REST)
# The passes that check a copy are no attack's passes, and an attack does not need the losses of the final images.
ABSORBED = {PREPARING: (*PASSES, PROJECTION, READING), MEASURING: (LOSSES,)}


def outside(seconds: dict[str, float]) -> float:
    """Share of the time that is neither forward, nor loss, nor backward, in [0, 1]."""
    return 1 - sum(seconds.get(name, 0.0) for name in PASSES) / sum(seconds.values())


@contextmanager
def accounted(ledger: Ledger, tasks: TaskMap) -> Iterator[None]:
    """Inside, the library's parts open their sections of `ledger`; `tasks` are those of the model that is attacked."""
    with ExitStack() as stack:
        for owner, attribute, section in _places(tasks):
            timed = ledger.timed(section, getattr(owner, attribute))
            stack.enter_context(patch.object(owner, attribute, timed))
        stack.enter_context(patch.object(runner, "read_ahead", _waiting(ledger)))
        yield


def _places(tasks: TaskMap) -> Iterator[tuple[Any, str, str]]:
    """Owner and attribute of everything callable that is a section's."""
    yield PreparedModel, "forward", FORWARD
    yield torch.autograd, "grad", BACKWARD
    for kind in {type(task) for task in tasks.values()}:
        yield kind, "loss", LOSSES
    yield Attack, "run", BOOKKEEPING
    yield Threat, "ball", PROJECTION
    for ball in (LinfBall, L2Ball):
        for name in ("project", "steepest", "random_start"):
            yield ball, name, PROJECTION
    yield runner, "measure", MEASURING
    yield PreparedDataset, "__getitem__", READING
    for name in ("create", "done", "write", "read"):
        yield EvidenceFile, name, EVIDENCE
    for name in ("prepare", "make_plan", "circumstances"):
        yield runner, name, PREPARING


def _waiting(ledger: Ledger) -> Callable[..., Iterator[Batch]]:
    """`read_ahead` itself, the time until a batch is there booked as reading."""

    def batches(*args: Any) -> Iterator[Batch]:
        coming = read_ahead(*args)
        while True:
            with ledger.section(READING):
                batch = next(coming, None)
            if batch is None:
                return
            yield batch

    return batches

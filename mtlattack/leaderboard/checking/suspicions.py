"""Suspicions: what an honest run may show, but seldom; a maintainer should look."""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis import AttackResult, Record
from mtlattack.attacks.balls.patch import patch_size
from mtlattack.evidence import NORMS, Evidence, Outcome
from mtlattack.leaderboard.checking.findings import Finding, flagged
from mtlattack.leaderboard.checking.structure import Case
from mtlattack.leaderboard.records import attacks_at, levels_of, strongest

# What every run of a model that can be called leaves; without, its flags would not be looked for.
_ALWAYS_CHECKED = ("gradients-vanish", "batch-dependent", "random")
# What a shell would read as more than one command; readers may copy it.
_SHELL = re.compile(r"[;&|`$<>]")

# Of a mean loss, what an honest attack may take by chance: noise at the least ε of the shipped boards takes up to half
# of this, and in none of its rows two standard errors over the images.
_BY_CHANCE = 0.002


def check_suspicions(case: Case) -> Iterator[Finding]:
    """The row's own flags, and what is odd about its numbers; nothing here refuses a row."""
    for field, message in _suspicions(case.stored.record, case.evidence):
        yield flagged(case.path, field, message)


def _suspicions(record: Record, evidence: Evidence) -> Iterator[tuple[str, str]]:
    for index, flag in enumerate(record.flags):
        about = f" of {flag.attack}" if flag.attack else ""
        yield f"flags.{index}", f"{flag.name}{about}: {flag.seen}"
    yield from _unusual_run(record)
    yield from _better_than_clean(record, evidence)
    yield from _no_stronger_than_noise(record, evidence)
    yield from _weaker_with_eps(record)
    yield from _copies(evidence)
    yield from _perturbations(record, evidence)


def _unusual_run(record: Record) -> Iterator[tuple[str, str]]:
    random = any(flag.name == "random" for flag in record.flags)
    for name in _ALWAYS_CHECKED:
        # Of a model that is random nobody can tell whether it depends on the batch.
        if name not in record.checked and not (random and name == "batch-dependent"):
            yield "checked", f"{name} could not be looked for: the run noted nothing of it"
    if _SHELL.search(record.environment["command"]):
        yield "environment.command", f"a shell would run more than one command: {record.environment['command']}"


def _better_than_clean(record: Record, evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Attacks under which a task that they are after loses less, not just by chance, or all tasks together win."""
    for index, (entry, outcome) in enumerate(zip(record.attacks, evidence.attacked, strict=False)):
        target = entry.name.partition("+")[0].partition(":")[2]
        for column, (name, statistics) in enumerate(evidence.clean.statistics.items()):
            valid = statistics[:, 0] > 0
            before, after = (o.losses[valid, column].sum() for o in (evidence.clean, outcome))
            if after < (1 - _BY_CHANCE) * before and target in ("", name):
                fall = f"its mean loss falls by {1 - after / before:.2%} under {_called(entry)}"
                yield f"attacks.{index}.metrics.{name}", f"better under attack than clean: {fall}"
        if entry.arp.low is not None and entry.arp.low > 0:
            yield f"attacks.{index}.arp", f"better under attack than clean: at least {100 * entry.arp.low:.2g} % better"


def _no_stronger_than_noise(record: Record, evidence: Evidence) -> Iterator[tuple[str, str]]:
    white_box = [bool(planned["white_box"]) for planned in evidence.plan["attacks"]]
    for eps in levels_of(record):
        noise = [_strength(entry) for entry in attacks_at(record, eps) if entry.name.startswith("noise-")]
        for index, entry in enumerate(record.attacks[: len(white_box)]):
            if noise and entry.eps == eps and white_box[index] and _strength(entry) <= max(noise):
                text = f"{_called(entry)} follows gradients, and is no stronger than noise ({max(noise):.3g})"
                yield f"attacks.{index}.log_ratio", text


def _weaker_with_eps(record: Record) -> Iterator[tuple[str, str]]:
    levels = sorted(levels_of(record))
    for less, more in zip(levels, levels[1:], strict=False):
        before, after = strongest(record, less), strongest(record, more)
        if _strength(after) <= _strength(before):
            text = f"the strongest at ε = {more:.4g} is no stronger than {_called(before)}"
            yield f"attacks.{record.attacks.index(after)}.log_ratio", text


def _copies(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Attacks whose every loss, statistic and norm is that of another, or whose results are those without attack."""
    seen: dict[bytes, int] = {}
    for index, outcome in enumerate(evidence.attacked):
        results = _results(outcome)
        other = seen.setdefault(results + outcome.perturbation.tobytes(), index)
        if other != index:
            yield f"attacks.{index}", f"every number is that of attacks.{other}"
        if results == _results(evidence.clean) and outcome.perturbation.any():
            yield f"attacks.{index}", "the images changed, and every result is that of the clean run"


def _results(outcome: Outcome) -> bytes:
    arrays: list[NDArray[np.float64]] = [outcome.losses, *outcome.statistics.values()]
    return b"".join(array.tobytes() for array in arrays)


def _perturbations(record: Record, evidence: Evidence) -> Iterator[tuple[str, str]]:
    # The image's size is not in the evidence: no label covers more than all of it. One of the whole tells nothing.
    dense = [evidence.clean.statistics[name] for name, task in evidence.tasks.items() if task.dense]
    size = max((float(statistics[:, 0].max()) for statistics in dense), default=0.0)
    for index, outcome in enumerate(evidence.attacked):
        if not outcome.perturbation.any():
            yield f"attacks.{index}.max_linf", "no image was changed"
        entry, pixels = record.attacks[index], outcome.perturbation[:, NORMS.index("l0")].max()
        if not size or entry.norm != "patch":
            continue
        if pixels > patch_size(int(size), int(size), entry.eps)[0] ** 2 / size:
            most = f"a share of {entry.eps:.3g} of the {size:.0f} pixels with labels"
            yield f"attacks.{index}.max_pixels", f"{pixels:.0f} pixels changed, more than {most}"


def _called(entry: AttackResult) -> str:
    return f"{entry.name} at ε = {entry.eps:.4g}"


def _strength(entry: AttackResult) -> float:
    return float("-inf") if entry.log_ratio.value is None else entry.log_ratio.value

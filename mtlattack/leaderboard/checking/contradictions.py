"""Contradictions: evidence that no run can have left, whatever the model."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mtlattack.attacks import Threat
from mtlattack.errors import InputError
from mtlattack.evidence import DIAGNOSTICS, NORMS, Evidence, Outcome
from mtlattack.leaderboard.checking.findings import Finding, refused
from mtlattack.leaderboard.checking.structure import Case
from mtlattack.tasks import Contradiction, somewhere
from mtlattack.wording import counted

Array = NDArray[np.float64]
# Images are float32 in [0, 1]: two of them are no further from k/255 than this.
_FLOAT = 2.0**-23
# Relative, for norms in float64; and for a length that stays below ε by rounding alone.
_SAME, _LENGTH = 1e-9, 1e-6
# Float32 counts are exact below this.
_MOST_PIXELS = 2**24
_CHANNELS = 3


def check_contradictions(case: Case) -> Iterator[Finding]:
    """What cannot be in the clean run or in an attack, the first image named; `attacks.3` is the row's entry."""
    evidence = case.evidence
    yield from _report(case, "clean", _clean(evidence))
    for index, outcome in enumerate(evidence.attacked):
        config = evidence.plan["attacks"][index]["config"]
        try:
            threat = Threat(config["norm"], config["eps"], config.get("quantized", False))
        except InputError as error:
            yield refused(case.path, f"attacks.{index}.config", str(error))
            continue
        yield from _report(case, f"attacks.{index}", _attacked(evidence, outcome, threat))


def report(case: Case, place: str, each: Contradiction) -> Iterator[Finding]:
    """The finding that a contradiction is, its first image named; nothing where no image shows it."""
    if each.images.any():
        ids, first = case.evidence.ids, int(each.images.argmax())
        where = f"{int(each.images.sum())} of {counted(len(ids), 'image')}, first {ids[first]!r}"
        yield Finding(each.severity, case.path, place, f"the evidence: {each.says} ({where})")


def _report(case: Case, place: str, found: Iterator[tuple[str, Contradiction]]) -> Iterator[Finding]:
    for subject, each in found:
        yield from report(case, f"{place}.{subject}", each)


def _clean(evidence: Evidence) -> Iterator[tuple[str, Contradiction]]:
    clean = evidence.clean
    yield "perturbation", Contradiction(somewhere(clean.perturbation != 0), "the clean images were changed")
    yield (
        "diagnostics",
        Contradiction(somewhere(~np.isnan(clean.diagnostics)), "an attack was noted where there was none"),
    )
    yield from _measured(evidence, clean)


def _attacked(evidence: Evidence, outcome: Outcome, threat: Threat) -> Iterator[tuple[str, Contradiction]]:
    for each in _norms(outcome.perturbation, threat):
        yield "perturbation", each
    vanished, gap, found = (outcome.diagnostics[:, DIAGNOSTICS.index(name)] for name in ("vanished", "gap", "found"))
    for name, values in (("vanished", vanished), ("found", found)):
        odd = ~np.isnan(values) & (values != 0) & (values != 1)
        yield "diagnostics", Contradiction(odd, f"{name} is neither 0 nor 1")
    yield "diagnostics", Contradiction(gap < 0, "gap is negative")
    yield from _measured(evidence, outcome)
    for name, task in evidence.tasks.items():
        now, before = task.labels_of(outcome.statistics[name]), task.labels_of(evidence.clean.statistics[name])
        says = "what depends on the labels alone is not as in the clean run"
        yield f"metrics.{name}", Contradiction(somewhere(now != before), says)


def _measured(evidence: Evidence, outcome: Outcome) -> Iterator[tuple[str, Contradiction]]:
    """What holds with and without an attack."""
    yield "seconds", Contradiction(outcome.seconds <= 0, "it took no time")
    for column, (name, task) in enumerate(evidence.tasks.items()):
        losses, statistics = outcome.losses[:, column], outcome.statistics[name]
        pixels = statistics[:, 0]
        wrong = (pixels < 0) | (pixels != np.floor(pixels)) | (pixels >= _MOST_PIXELS)
        place = f"metrics.{name}"
        yield place, Contradiction(wrong, f"the valid pixels are no whole number from 0 to below {_MOST_PIXELS:,}")
        yield place, Contradiction(losses < 0, "a loss is negative")
        something = (pixels == 0) & ((losses != 0) | somewhere(statistics != 0))
        yield place, Contradiction(something, "there is something without valid pixels")
        for each in task.contradictions(statistics, losses):
            yield place, each


def _norms(perturbation: Array, threat: Threat) -> Iterator[Contradiction]:
    """Norms `[N, 4]` of one perturbation each that exclude each other, or are beyond the threat."""
    linf, l2, l1, l0 = (perturbation[:, NORMS.index(name)] for name in ("linf", "l2", "l1", "l0"))
    more = 1 + _SAME
    yield Contradiction(somewhere(perturbation < 0), "a norm is negative")
    yield Contradiction(l0 != np.floor(l0), "the pixels that changed are no whole number")
    yield Contradiction((l0 == 0) != (linf == 0), "as many pixels changed as by linf cannot have")
    yield Contradiction(linf > 1, "linf is more than 1, pixels are in [0, 1]")
    yield Contradiction((linf > l2 * more) | (l2 > l1 * more), "not linf ≤ l2 ≤ l1")
    yield Contradiction(l2**2 > linf * l1 * more, "l2² is more than linf·l1")
    yield Contradiction(l1**2 > _CHANNELS * l0 * l2**2 * more, "l1² is more than the values that changed times l2²")
    sizes = {"linf": (linf, threat.eps + _FLOAT), "l2": (l2, None), "l1": (l1, None), "l0": (l0, threat.eps)}
    if threat.norm in sizes:
        size, most = sizes[threat.norm]
        beyond = size > (threat.eps * (1 + _LENGTH) if most is None else most)
        says = f"{threat.norm} is beyond ε = {threat.eps:.9g}, the largest {size.max():.9g}"
        yield Contradiction(beyond, says)

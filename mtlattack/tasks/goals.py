"""Where a targeted attack leads a prediction: a function of the labels, read from a few characters.

Of the labels and not of what a model says of the clean image: so one goal is the same for every model that images are
made on or shown to, costs no pass, and has the form that losses and statistics take. Where the clean prediction stood
is measured beside it. A pixel without a label has no goal, and counts nowhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtlattack.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

KEEP = "keep"
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TIMES = re.compile(rf"x({_NUMBER})")
_TURN = re.compile(rf"([xyz])({_NUMBER})")
_BECOMES = re.compile(r"(\*|\d+)(?:->|to)(\d+)")


@dataclass(frozen=True)
class Goal:
    """`of` maps labels `[B, …]` to what a prediction ought to say, `[B, …]`: pixels without a label stay so, and others
    may become so, which have no goal. `text` is how it is written."""

    text: str
    of: Callable[[Tensor], Tensor]


def check_leads(name: str, text: str, is_label: bool) -> None:
    """InputError for a goal that, as it is written, is the label itself: nothing leads there."""
    if is_label:
        raise InputError(f"{name}: the target {text!r} is what the labels say already; to hold a task there say {KEEP}")


def kept(labels: Tensor) -> Tensor:
    """The labels themselves: the prediction is not to become worse."""
    return labels


def read_factor(text: str) -> float | None:
    """1.5 of `x1.5`; None for what is written otherwise."""
    found = _TIMES.fullmatch(text)
    return float(found[1]) if found else None


def check_factor(name: str, text: str, factor: float, positive: bool | None) -> None:
    """InputError unless a factor is finite, not 1, and above 0 (`positive`), at least 0 (False) or anything (None)."""
    low = not factor > 0 if positive else positive is False and factor < 0
    if low or not math.isfinite(factor):
        bounds = {True: "above 0", False: "of at least 0", None: "that is finite"}[positive]
        raise InputError(f"{name}: the factor of the target {text!r} is {factor:g}, expected one {bounds}")
    check_leads(name, text, factor == 1)


def read_classes(name: str, text: str, classes: int, ignore: int) -> tuple[int | None, int] | None:
    """(1, 5) of `1->5` or `1to5`, None for `*` in the first place; None for what is written otherwise.

    InputError for a class that there is not, and for one that becomes itself.
    """
    found = _BECOMES.fullmatch(text)
    if found is None:
        return None
    for number in (int(part) for part in found.groups() if part != "*"):
        if not number < classes:
            raise InputError(f"{name}: class {number} of the target {text!r}, expected 0 to {classes - 1}")
        if number == ignore:
            raise InputError(f"{name}: class {number} of the target {text!r} marks pixels without a label")
    before, after = None if found[1] == "*" else int(found[1]), int(found[2])
    check_leads(name, text, before == after)
    return before, after


def read_turn(name: str, text: str) -> tuple[str, float] | None:
    """("y", 30.0) of `y30`, in degrees; None for what is written otherwise. InputError for more than half a turn, or
    none."""
    found = _TURN.fullmatch(text)
    if found is None:
        return None
    angle = float(found[2])
    if not abs(angle) <= 180:
        raise InputError(f"{name}: the angle of the target {text!r} is {angle:g}°, expected -180 to 180")
    check_leads(name, text, angle == 0)
    return found[1], angle

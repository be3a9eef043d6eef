"""Whether predictions are in the scale and the unit of the labels: factors, and the sentences that name them."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from mtlattack.lazily import torch

if TYPE_CHECKING:
    from torch import Tensor

Doubt = tuple[str, str]
"""Name of a flag, and the sentence that says what was seen."""

LOGIT_FACTOR = 10.0
"""The shipped networks' best factors are 1.0 to 1.3; one that answers the same for every image has 0.2."""
UNIT_FACTOR = 2.5
"""The shipped networks' medians of prediction/label are 0.87 to 1.22; one that answers the same for all has 0.46."""
NEGATIVE_SHARE = 0.01
"""The shipped networks predict no distance ≤ 0."""

_UNITS = {1000.0: "millimetres", 100.0: "centimetres", 3.281: "feet", 0.001: "kilometres"}
_SAME_UNIT = 1.25
_RANGE = 3.0
_MOST_LOGITS = 200_000
_REFINEMENTS = 19
_GOLDEN = (math.sqrt(5) - 1) / 2


def best_temperature(logits: Tensor, labels: Tensor) -> float | None:
    """The T for which softmax(z/T) has the least mean cross entropy, from logits `[n, classes]` and labels `[n]`.

    That of temperature scaling (Guo et al. 2017), by search over 10⁻³ to 10³: the cross entropy is convex in 1/T. None
    where it keeps falling to an end: the logits say nothing of the labels, or every label has the largest one.
    """
    some = slice(None, None, max(1, math.ceil(logits.numel() / _MOST_LOGITS)))
    # On the host: Apple's MPS has no float64.
    logits, labels = logits[some].detach().cpu().double(), labels[some].cpu()
    if not len(labels) or not torch.isfinite(logits).all():
        return None

    @cache
    def cross_entropy(exponent: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / 10**exponent, labels))

    # Golden section: of the two points inside, each step keeps one and asks for one.
    low, high = -_RANGE, _RANGE
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    for _ in range(_REFINEMENTS):
        if cross_entropy(left) <= cross_entropy(right):  # both may be 0: it keeps falling, beyond what floats tell
            high, right = right, left
            left = high - _GOLDEN * (high - low)
        else:
            low, left = left, right
            right = low + _GOLDEN * (high - low)
    return None if low == -_RANGE or high == _RANGE else float(10 ** ((low + high) / 2))


def doubt_logits(name: str, temperature: float) -> list[Doubt]:
    """`logit-scale`: where the best temperature is beyond a factor of 10."""
    if 1 / LOGIT_FACTOR <= temperature <= LOGIT_FACTOR:
        return []
    text = (
        f"{name}: logits fit the labels best if multiplied by {rounded(1 / temperature)}; losses depend on that scale"
    )
    return [("logit-scale", text)]


def doubt_unit(name: str, factor: float, unit: str) -> list[Doubt]:
    """`wrong-unit`: where the median of prediction/label is beyond a factor of 2.5; `unit` is that of the labels."""
    if 1 / UNIT_FACTOR <= factor <= UNIT_FACTOR:
        return []
    text = f"{name}: predictions are about {rounded(factor)} times the labels"
    likely = next((found for size, found in _UNITS.items() if max(factor / size, size / factor) <= _SAME_UNIT), None)
    return [("wrong-unit", f"{text}: {likely} against metres?" if likely and unit == "m" else text)]


def doubt_sign(name: str, share: float) -> list[Doubt]:
    """`negative-depth`: where more than 1 % of the predicted distances are none."""
    if share <= NEGATIVE_SHARE:
        return []
    return [("negative-depth", f"{name}: {100 * share:.2g} % of the predictions are not positive, as distances are")]


def rounded(value: float) -> str:
    """Two significant digits: `930`, `20,000`, `0.05`."""
    return f"{float(f'{value:.2g}'):,g}"

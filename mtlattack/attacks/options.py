"""What attacks refuse among their options."""

import math
from collections.abc import Iterable, Sequence

from mtlattack.errors import InputError


def check_known(kind: str, given: Iterable[str], allowed: Sequence[str]) -> None:
    """InputError for an option that something of this kind does not take."""
    for option in given:
        if option not in allowed:
            raise InputError(f"{kind} takes no option {option!r}; it takes: {', '.join(allowed) or 'none'}")


class ThreatError(InputError):
    """An attack, or a part of one, is not made for a threat."""


class TargetError(InputError):
    """An attack leads to no target."""


def check_norm(kind: str, norms: tuple[str, ...] | None, norm: str) -> None:
    """ThreatError unless something of this kind is made for a threat's norm; None is any."""
    if norms is not None and norm not in norms:
        raise ThreatError(f"{kind} is made for {', '.join(norms)}, not for {norm}")


def check_whole(name: str, value: object) -> None:
    """InputError unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{name} {value!r} is not a whole number ≥ 1")


def check_positive(name: str, value: object) -> None:
    """InputError unless `value` is a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise InputError(f"{name} {value!r} is outside (0, ∞)")


def check_share(name: str, value: object) -> None:
    """InputError unless `value` is a number in (0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise InputError(f"{name} {value!r} is outside (0, 1]")


def check_fraction(name: str, value: object) -> None:
    """InputError unless `value` is a number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"{name} {value!r} is outside [0, 1]")


def check_number(name: str, value: object, least: float, below: float = math.inf) -> None:
    """InputError unless `value` is a number in [least, below)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < below:
        bound = "∞" if below == math.inf else f"{below:g}"
        raise InputError(f"{name} {value!r} is outside [{least:g}, {bound})")

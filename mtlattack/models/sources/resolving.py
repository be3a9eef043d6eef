"""A source from what a user types: a model as `resolve_model` knows it, or one that is made of models."""

import re
from collections.abc import Callable

from torch import nn

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.models.resolving import SOURCES, resolve_model
from mtlattack.models.sources.ensemble import EnsembleSource
from mtlattack.models.sources.ghost import GhostSource
from mtlattack.models.sources.skip_gradient import SkipGradientSource

_CHANGED: dict[str, Callable[..., nn.Module]] = {"sgm": SkipGradientSource, "ghost": GhostSource}
_MADE = re.compile(rf"({'|'.join(SOURCES)})(?:@([^:]*))?:(.*)", re.DOTALL)


def resolve_source(name: str) -> tuple[nn.Module, str]:
    """The source, in eval mode, and the name it goes by.

    | name | what it is |
    |---|---|
    | `ens:A+B+…` | the mean of the losses of several sources (`EnsembleSource`), with or without `sgm` or `ghost` |
    | `sgm:A`, `sgm@0.2:A` | A, gradients of its residual branches times γ, 0.5 by default (`SkipGradientSource`) |
    | `ghost:A`, `ghost@0.1:A` | A, its skip connections off by up to 22 % by default (`GhostSource`) |
    | anything else | a model: see `resolve_model` |

    Inside an ensemble no name can hold a plus. UnknownNameError, InputError say what is wrong with any part.
    """
    made = _MADE.fullmatch(name)
    if made is None:
        kind, _, rest = name.partition(":")
        # A factory's name is one word; whatever else stands behind a colon was meant for a source.
        if rest and not rest.isidentifier() and "/" not in name and not kind.endswith(".py"):
            raise UnknownNameError("source", kind.partition("@")[0], SOURCES)
        return resolve_model(name)
    kind, value, rest = made.groups()
    return _ensemble(name, value, rest) if kind == "ens" else _changed(name, kind, value, rest)


def _ensemble(name: str, value: str | None, rest: str) -> tuple[nn.Module, str]:
    parts = rest.split("+")
    if value is not None:
        raise InputError(f"source {name!r}: ens takes no value, {value!r} was given")
    if len(parts) < 2 or not all(parts):
        raise InputError(f"source {name!r}: expected two sources at least, as in ens:A+B")
    for part in parts:
        _refuse_ensemble(name, part)
    for part in parts:
        if parts.count(part) > 1:
            raise InputError(f"source {name!r}: {part} is named twice")
    resolved = {resolved_name: source for source, resolved_name in map(resolve_source, parts)}
    return EnsembleSource(resolved), f"ens:{'+'.join(resolved)}"


def _changed(name: str, kind: str, value: str | None, rest: str) -> tuple[nn.Module, str]:
    _refuse_ensemble(name, rest)
    source, inside = resolve_source(rest)
    if value is None:
        return _CHANGED[kind](source), f"{kind}:{inside}"
    try:
        number = float(value)
    except ValueError:
        raise InputError(f"source {name!r}: {value!r} is no number, expected one as in {kind}@0.5:A") from None
    return _CHANGED[kind](source, number), f"{kind}@{value}:{inside}"


def _refuse_ensemble(name: str, part: str) -> None:
    made = _MADE.fullmatch(part)
    if made is not None and made[1] == "ens":
        raise InputError(f"source {name!r}: an ensemble stands outside of everything, as in ens:sgm:A+sgm:B")

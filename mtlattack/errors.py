"""Errors a user can cause: each names the thing, the value, and what was expected."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A mistake in what the user gave: the command line prints it in one line and exits with code 2."""


class UnknownNameError(InputError):
    """A name that is not registered; the message offers the nearest one that is."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        nearest = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(names) or 'none'}"
        super().__init__(f"unknown {kind} {name!r}; {hint}")

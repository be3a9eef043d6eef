"""Errors a user can cause: each names the thing, the value, and what was expected."""

import difflib
from collections.abc import Iterable

# Characters of a message, and of its end where it is longer.
_MOST, _END = 1500, 200


class InputError(ValueError):
    """A mistake in what the user gave: the command line prints it in one line and exits with code 2."""

    def __str__(self) -> str:
        """The message in one line, whatever it repeats; of something endless its beginning and its end."""
        text = " ".join(super().__str__().splitlines())
        return text if len(text) <= _MOST else f"{text[: _MOST - _END]} … {text[-_END:]}"


def one_line(error: BaseException) -> str:
    """What an error of another library says, whose line breaks and runs of blanks become single blanks."""
    return " ".join(str(error).split())


# Of more names than this the nearest few are told.
_MOST_NAMES = 20
_FEW = 3


class UnknownNameError(InputError):
    """A name that is not registered; the message offers the nearest one that is, or all where they are few, and says
    what `otherwise` may be the matter."""

    def __init__(self, kind: str, name: str, known: Iterable[str], otherwise: str = "") -> None:
        super().__init__("; ".join(filter(None, [f"unknown {kind} {name!r}", _hint(name, sorted(known)), otherwise])))


def _hint(name: str, names: list[str]) -> str:
    nearest = difflib.get_close_matches(name, names, n=1)
    if nearest:
        return f"did you mean {nearest[0]!r}?"
    if len(names) <= _MOST_NAMES:
        return f"known: {', '.join(names) or 'none'}"
    few = difflib.get_close_matches(name, names, n=_FEW, cutoff=0)
    return f"of the {len(names)} that are known the nearest are {', '.join(few)}"

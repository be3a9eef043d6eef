"""Findings: what a check has to say of a file, and what of it may be printed."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from mtlattack.errors import InputError, one_line
from mtlattack.leaderboard.rows.plan import Plan
from mtlattack.leaderboard.rows.schema import Row

Severity = Literal["refused", "flagged"]
_LONGEST = 1000
# Places in lists have no more; Python makes no number of thousands of digits.
_MOST_DIGITS = 9


@dataclass(frozen=True)
class Finding:
    """Something wrong (`refused`) or odd (`flagged`): `path` is relative to the board, `field` a dotted path in the
    file or in its evidence (for a row `attacks.12.log_ratio`, for the ledger `line 3`), or empty if it is about the
    file as a whole."""

    severity: Severity
    path: str
    field: str
    message: str

    def __str__(self) -> str:
        """One line of plain characters, whatever a stranger put into names and values."""
        return ": ".join(plain(part) for part in (self.severity, self.path, self.field, self.message) if part)

    @property
    def order(self) -> tuple[bool, str, list[tuple[int, str]], str]:
        """What findings are sorted by: those that refuse first, then file, field (its numbers as numbers), message."""
        parts = [(int(part), "") if _is_place(part) else (-1, part) for part in re.split(r"[. ]", self.field)]
        return self.severity != "refused", self.path, parts, self.message


def _is_place(part: str) -> bool:
    return part.isdecimal() and len(part) <= _MOST_DIGITS


def refused(path: str, field: str, message: str) -> Finding:
    """The board cannot stand with this."""
    return Finding("refused", path, field, message)


def flagged(path: str, field: str, message: str) -> Finding:
    """Somebody should look at this."""
    return Finding("flagged", path, field, message)


def guarded(path: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """All that `check` finds; what ends it early is one finding more, about `path`, and ends nothing else."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except InputError as error:
        found.append(refused_for(path, error))
    except Exception as error:  # a bug of ours must let nothing pass, and hide no other row
        reason = one_line(error)
        found.append(refused(path, "", f"cannot be checked, please report this: {type(error).__name__} ({reason})"))
    return found


def refused_for(path: str, error: InputError) -> Finding:
    """The finding that an error is; its message begins with the field if it is about one of a row or a plan."""
    message = str(error)
    token = re.match(r"[\w.:+-]+", message)
    field = token[0].rstrip(":.") if token else ""
    if field.split(".")[0] not in (*Row.model_fields, *Plan.model_fields):
        return refused(path, "", message)
    return refused(path, field, message.removeprefix(f"{field}: "))


def plain(text: str) -> str:
    """Text that prints on one line and moves no cursor: anything else is escaped, and its end left out."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: _LONGEST + 1])
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"

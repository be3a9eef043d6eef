"""The ledger: every line an event that may follow, of rows that exist."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from mtlattack.errors import InputError
from mtlattack.leaderboard.board import LEDGER, StoredRow
from mtlattack.leaderboard.checking.findings import Finding, refused
from mtlattack.leaderboard.ledger import Event, check_event, parse_event
from mtlattack.leaderboard.succession import check_succession

# So that a ledger of empty lines ends soon, and within memory.
_MOST_WRONG = 1000


@dataclass(frozen=True)
class Line:
    """An event, and where it stands."""

    number: int
    event: Event

    @property
    def field(self) -> str:
        """As findings name it."""
        return f"line {self.number}"


def parse_lines(content: bytes) -> tuple[list[Line], list[Finding]]:
    """The events of a ledger, and what is wrong with the lines that are none."""
    lines: list[Line] = []
    findings: list[Finding] = []
    if content and not content.endswith(b"\n"):
        findings.append(refused(LEDGER, "", "the last line does not end"))
    for number, text in enumerate(content.removesuffix(b"\n").split(b"\n") if content else [], 1):
        try:
            lines.append(Line(number, parse_event(text)))
        except InputError as error:
            findings.append(refused(LEDGER, f"line {number}", str(error)))
        if len(findings) > _MOST_WRONG:
            findings.append(refused(LEDGER, f"line {number}", "more than enough is wrong, the rest was not read"))
            break
    return lines, findings


def check_events(
    lines: Iterable[Line], known: Collection[str], rows: Mapping[str, StoredRow], now: datetime
) -> Iterator[Finding]:
    """Events out of order, of rows that are not `known`, or with a successor that is not of the same model and suite;
    `rows` are those that read, by id."""
    last: dict[str, Event] = {}
    for line in lines:
        event = line.event
        try:
            check_event(event, last.get(event.row), now)
        except InputError as error:
            yield refused(LEDGER, line.field, str(error))
        last[event.row] = event
        for name, row in (("row", event.row), ("successor", event.successor)):
            if row is not None and row not in known:
                yield refused(LEDGER, line.field, f"{name} {row} is none of the board's")
        old, successor = rows.get(event.row), rows.get(event.successor or "")
        if old is not None and successor is not None:
            try:
                check_succession(old, successor.row)
            except InputError as error:
                yield refused(LEDGER, line.field, str(error))


def check_first_events(paths: Mapping[str, str], lines: Iterable[Line]) -> Iterator[Finding]:
    """Rows `{path: id}` that the ledger does not know."""
    named = {line.event.row for line in lines}
    for path, identity in paths.items():
        if identity not in named:
            yield refused(path, "", f'the ledger has no line for it, expected one of row {identity}, "self-reported"')

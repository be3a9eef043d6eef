"""The ledger: what became of each row, one line an event, only ever appended to."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from mtlattack.canonical import canonical_json
from mtlattack.errors import InputError
from mtlattack.leaderboard.rows.schema import Label, Moment, Part, RowId, Text
from mtlattack.locking import taking_turns
from mtlattack.reading.hostile import read_regular
from mtlattack.reading.strict_json import parse_json
from mtlattack.schemas import validate
from mtlattack.wording import counted

Status = Literal["self-reported", "verified", "disputed", "retracted", "superseded"]
STATUSES: tuple[Status, ...] = get_args(Status)
# What a row's status may turn into; a row begins self-reported, and what was withdrawn stays so.
NEXT: Mapping[Status | None, tuple[Status, ...]] = {
    None: ("self-reported",),
    "self-reported": ("verified", "disputed", "retracted", "superseded"),
    "verified": ("disputed", "retracted", "superseded"),
    "disputed": ("verified", "retracted", "superseded"),
    "retracted": (),
    "superseded": (),
}
# Clocks differ, but not by more.
CLOCK_SKEW = timedelta(hours=1)
# No row is older, and no time that no other time zone can say (year 1) ends a page.
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
_MOST_BYTES = 64 * 2**20
_MOST_LINE = 8192


class Event(Part):
    """One line of the ledger."""

    row: RowId
    status: Status
    at: Moment
    by: Label
    note: Text = ""
    successor: RowId | None = Field(None, description="the row that supersedes this one")


def read_ledger(path: Path) -> list[Event]:
    """All events in order; InputError names the line that is wrong. No file is an empty ledger."""
    content = read_content(path)
    if content and not content.endswith(b"\n"):
        raise InputError(f"{path}: the last line does not end")
    events = []
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            events.append(parse_event(line))
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
    return events


def read_content(path: Path) -> bytes:
    """The ledger as it is stored; InputError for what is no regular file, or too large. No file is an empty ledger."""
    if not path.exists() and not path.is_symlink():
        return b""
    try:
        return read_regular(path, _MOST_BYTES)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def parse_event(line: bytes) -> Event:
    """The event of one line; InputError says what is wrong with it."""
    document = parse_json(line, most_bytes=_MOST_LINE)
    if not isinstance(document, dict):
        raise InputError(f"expected a JSON object, got a {type(document).__name__}")
    return validate(Event, document)


def statuses(events: Iterable[Event]) -> dict[str, Event]:
    """The last event of each row."""
    return {event.row: event for event in events}


def check_event(event: Event, before: Event | None, now: datetime | None = None) -> None:
    """InputError unless `event` may follow `before`, the last one of the same row."""
    allowed = NEXT[None if before is None else before.status]
    was = "new" if before is None else before.status
    if event.status not in allowed:
        expected = " or ".join(allowed) or "nothing more"
        raise InputError(f"row {event.row} is {was}: status {event.status!r}, expected {expected}")
    check_successor(event.row, event.status, event.successor)
    if event.successor == event.row:
        raise InputError(f"row {event.row} cannot supersede itself")
    if before is not None and event.at < before.at:
        raise InputError(
            f"row {event.row}: at {event.at.isoformat()} is before {before.at.isoformat()}, its last event"
        )
    if event.at < EARLIEST:
        raise InputError(f"row {event.row}: at {event.at.isoformat()} is before {EARLIEST.year}, there was no board")
    if event.at > (now or datetime.now(UTC)) + CLOCK_SKEW:
        raise InputError(f"row {event.row}: at {event.at.isoformat()} is in the future")


def check_successor(row: str, status: str, successor: str | None) -> None:
    """InputError unless a successor is named with the status superseded, and with that alone."""
    if status == "superseded" and successor is None:
        raise InputError(f"row {row}: its successor is missing: superseded names the row that takes its place")
    if status != "superseded" and successor is not None:
        raise InputError(f"row {row}: status {status!r} has no successor, got {successor}; only superseded has one")


def append(path: Path, *events: Event) -> None:
    """Add events to the ledger, all or none, one process at a time; InputError if one may not follow what stands there,
    or where nothing can be written."""
    with taking_turns(path):
        last = statuses(read_ledger(path))
        for event in events:
            check_event(event, last.get(event.row))
            last[event.row] = event
        _write(path, events)


def _write(path: Path, events: Sequence[Event]) -> None:
    lines = b"".join(canonical_json(event.model_dump(mode="json")) + b"\n" for event in events)
    # Unbuffered: one write, and an error leaves nothing that would be written later.
    try:
        with path.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                if file.write(lines) != len(lines):
                    raise OSError(f"the disk took a part of {counted(len(lines), 'byte')}")
            except BaseException:
                file.truncate(size)
                raise
    except OSError as error:
        raise InputError(f"cannot write to {path} ({error.strerror or error})") from None

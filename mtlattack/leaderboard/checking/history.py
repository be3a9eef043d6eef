"""History: a pull request adds; it changes nothing that stands on its base."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mtlattack.errors import InputError
from mtlattack.evidence.packing import MOST_BYTES
from mtlattack.leaderboard.board import LEDGER, MOST_ROW_BYTES, Board, Listing, StoredRow
from mtlattack.leaderboard.checking.events import Line
from mtlattack.leaderboard.checking.findings import Finding, flagged, refused
from mtlattack.leaderboard.checking.structure import relative
from mtlattack.leaderboard.ledger import read_content
from mtlattack.leaderboard.rows.identity import measured_identity
from mtlattack.reading.hostile import read_regular

_MOST = max(MOST_ROW_BYTES, MOST_BYTES)


@dataclass(frozen=True)
class Base:
    """The board that a pull request would change: its files, by path on the board, its rows' ids, and its ledger."""

    files: Mapping[str, Path]
    rows: frozenset[str]
    ledger: bytes

    @staticmethod
    def read(board: Board) -> "Base":
        """What stands there; InputError where that cannot be said."""
        listing = board.listing()
        files = {relative(board, path): path for path in [*listing.rows, *listing.evidence]}
        return Base(files, frozenset(path.stem for path in listing.rows), read_content(board.ledger))


def check_files(board: Board, listing: Listing, base: Base) -> Iterator[Finding]:
    """Rows and evidence of the base that are not there byte for byte."""
    there = {relative(board, path): path for path in [*listing.rows, *listing.evidence]}
    for path, old in base.files.items():
        if path not in there:
            yield refused(path, "", "deleted or renamed: what is on the board stays")
        elif not _equal(old, there[path]):
            yield refused(path, "", "modified: what is on the board never changes; a new row can supersede it")


def check_ledger(content: bytes, base: Base) -> Iterator[Finding]:
    """A ledger that does not begin with the base's."""
    if not content.startswith(base.ledger):
        old, new = base.ledger.split(b"\n"), content.split(b"\n")
        pairs = enumerate(zip(old, [*new, *[b""] * len(old)], strict=False), 1)
        number = next((n for n, (before, after) in pairs if before != after), len(old))
        yield refused(LEDGER, f"line {number}", "rewritten or left out: lines are only ever added at the end")


def check_additions(
    lines: Iterable[Line], new: frozenset[str], base: Base, rows: Mapping[str, StoredRow]
) -> Iterator[Finding]:
    """Events that a pull request may not add: with `new` rows only their own first events, and that they supersede
    older ones; without, any, but a maintainer must see them. `rows` are those that read, by id."""
    stood, before = base.ledger.count(b"\n"), dict[str, str]()
    for line in lines:
        event = line.event
        if line.number <= stood:
            before[event.row] = event.status
            continue
        if not new:
            text = f"row {event.row} becomes {event.status}, by {event.by}: for a maintainer to approve"
            yield flagged(LEDGER, line.field, text)
        elif event.row in new and event.status != "self-reported":
            text = f'row {event.row} is new: status {event.status!r}, expected "self-reported" alone'
            yield refused(LEDGER, line.field, text)
        elif event.row not in new and not (event.status == "superseded" and event.successor in new):
            text = f"row {event.row} becomes {event.status}: with new rows an older one can only be superseded by these"
            yield refused(LEDGER, line.field, f"{text}; a status is changed by itself")
        elif event.row not in new:
            # Anybody can write any name, and any weights' hash: that it is the same submitter cannot be known.
            old, successor = rows.get(event.row), rows.get(event.successor or "")
            text = f"row {event.row}, {before.get(event.row, 'unknown')}{_submitter(old)}, is superseded by "
            other = ", of other weights" if _other_weights(old, successor) else ""
            text += f"{event.successor}{other}: for a maintainer to approve{_submitter(successor)}"
            yield flagged(LEDGER, line.field, text)


def _submitter(stored: StoredRow | None) -> str:
    return "" if stored is None else f", submitted by {stored.row.submitted.name}"


def _other_weights(old: StoredRow | None, successor: StoredRow | None) -> bool:
    if old is None or successor is None:
        return False
    return measured_identity(old.row) != measured_identity(successor.row)


def _equal(old: Path, new: Path) -> bool:
    try:
        return read_regular(old, _MOST) == read_regular(new, _MOST)
    except InputError:
        return False

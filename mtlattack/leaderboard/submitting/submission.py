"""From a finished run to the files of a pull request: a row, its evidence, its line in the ledger."""

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from mtlattack.errors import InputError
from mtlattack.evidence import Evidence, read_evidence
from mtlattack.evidence.packing import MOST_BYTES
from mtlattack.evidence.packing.compact import pack, unpack
from mtlattack.evidence.places import EVIDENCE
from mtlattack.files import write_whole_bytes
from mtlattack.leaderboard.board import EVIDENCE_SUFFIX, ROW_SUFFIX, ROWS, Board, StoredRow, read_row
from mtlattack.leaderboard.ledger import Event, append, read_ledger, statuses
from mtlattack.leaderboard.rows.building import build_row
from mtlattack.leaderboard.rows.entry import check_entry
from mtlattack.leaderboard.rows.identity import ID_DIGITS, measured_identity, row_document, row_id, row_text
from mtlattack.leaderboard.rows.plan import check_evidence
from mtlattack.leaderboard.rows.schema import EvidenceReference, Row, Submitter
from mtlattack.leaderboard.standings import WITHDRAWN
from mtlattack.leaderboard.submitting.declaration import Said, make_card
from mtlattack.leaderboard.succession import check_succession
from mtlattack.reading.hostile import read_regular
from mtlattack.schemas import validate


def submit(
    run: Path, board: Board, said: Said, *, checkpoint: Path | None = None, supersedes: str | None = None
) -> StoredRow:
    """Put the row of a finished run on the board, as self-reported, with its evidence; whole or not at all.

    `run` is the folder of a run or its evidence file; `checkpoint` holds the weights, see `make_card`; `supersedes` is
    the beginning of the id of a row that this one takes the place of. InputError for a run that may not enter (see
    `check_entry`), for a card that is incomplete or contradicts the checkpoint, for evidence that is too large or not
    finite, for a clock that is before the run, and for what is on the board already; nothing is written then.
    """
    evidence = read_run(run)
    check_entry(evidence)
    card = make_card(check_evidence(evidence), said, checkpoint)
    now = datetime.now(UTC)
    started = datetime.fromisoformat(evidence.environment["started"])
    if now < started:
        raise InputError(f"it is {now.isoformat()}, and the run started at {started.isoformat()}: the clock is wrong")
    submitter = validate(Submitter, {"name": said.submitter, "at": now}, "submitter: ")
    packed = pack(evidence)
    digest = hashlib.sha256(packed).hexdigest()
    reference = EvidenceReference(file=digest[:ID_DIGITS] + EVIDENCE_SUFFIX, sha256=digest, bytes=len(packed))
    # Of what readers will have, not of what lies here.
    row = build_row(unpack(packed, str(run)), card, submitter, reference)
    last = statuses(read_ledger(board.ledger))
    old = None if supersedes is None else board.find(supersedes)
    if old is not None:
        check_succession(old, row)
    _check_new(board, row, last, old)
    events = [Event(row=row_id(row_document(row)), status="self-reported", at=now, by=submitter.name, successor=None)]
    if old is not None:
        events.append(Event(row=old.id, status="superseded", at=now, by=submitter.name, successor=events[0].row))
    return _write(board, row, packed, events)


def read_run(run: Path) -> Evidence:
    """The evidence of a finished run, from its folder or file."""
    path = run / EVIDENCE if run.is_dir() else run
    if not path.is_file():
        raise InputError(f"no run at {run}: expected a folder with evidence.h5, or such a file")
    return read_evidence(path)


def _check_new(board: Board, row: Row, last: Mapping[str, Event], old: StoredRow | None) -> None:
    """InputError if the board has this run, or a row that still counts of these weights, but for the one superseded."""
    folder = board.root / ROWS
    paths = board.listing().rows if folder.is_dir() else []
    rows = [read_row(path) for path in paths if path.parts[-3] == row.suite.name]
    for stored in rows:
        corrected = old is not None and stored.id == old.id and stored.row.model != row.model
        if stored.row.evidence.sha256 == row.evidence.sha256 and not corrected:
            raise InputError(
                f"this run is on the board already, as row {stored.id}{_state(stored, last)}: {stored.path}"
            )
    for stored in rows:
        counts = stored.id not in last or last[stored.id].status not in WITHDRAWN
        replaced = old is not None and stored.id == old.id
        if counts and not replaced and measured_identity(stored.row) == measured_identity(row):
            raise InputError(
                f"row {stored.id}{_state(stored, last)} is of the same weights under {row.suite.name} "
                f"v{row.suite.version}: if this run is to take its place, add --supersedes {stored.id}"
            )


def _state(stored: StoredRow, last: Mapping[str, Event]) -> str:
    if stored.id in last:
        return f" ({last[stored.id].status})"
    return (
        " (without a line in the ledger: an earlier submission was broken off; "
        f"`mtlattack leaderboard status {stored.id} self-reported --by NAME` completes it)"
    )


def _write(board: Board, row: Row, packed: bytes, events: list[Event]) -> StoredRow:
    """Evidence, row and ledger lines, in this order; what was written goes again if a later one fails."""
    folder = board.folder_of(row)
    path, evidence = folder / f"{events[0].row}{ROW_SUFFIX}", folder / row.evidence.file
    if evidence.exists() and read_regular(evidence, MOST_BYTES) != packed:
        raise InputError(f"{evidence} exists with another content")
    try:
        with ExitStack() as undo:
            for parent in (folder.parent.parent, folder.parent, folder):
                if not parent.is_dir():
                    parent.mkdir()
                    undo.callback(parent.rmdir)
            for file, content in ((evidence, packed), (path, row_text(row).encode())):
                if not file.exists():
                    undo.callback(file.unlink, missing_ok=True)
                    write_whole_bytes(file, content)
            stored = read_row(path)
            _ = stored.record  # Numbers that cannot be derived keep it off the board.
            append(board.ledger, *events)
            undo.pop_all()
    except OSError as error:
        raise InputError(f"cannot write to {board.root} ({error})") from None
    return stored

"""The board's folder: where rows, their evidence and the ledger lie, and how they are read without trusting them."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtlattack.analysis import Record
from mtlattack.errors import InputError
from mtlattack.evaluation.kept import kept_record
from mtlattack.evidence.packing import MOST_BYTES
from mtlattack.leaderboard.rows.identity import ID_DIGITS, row_id
from mtlattack.leaderboard.rows.migrations import migrate
from mtlattack.leaderboard.rows.schema import ID, NAME, Row
from mtlattack.reading.hostile import read_regular
from mtlattack.reading.strict_json import parse_json
from mtlattack.schemas import validate

if TYPE_CHECKING:
    from mtlattack.evidence import Evidence

ROWS, LEDGER = "rows", "ledger.jsonl"
ROW_SUFFIX, EVIDENCE_SUFFIX = ".json", ".evidence.xz"
MOST_ROW_BYTES = 2 * 2**20
_MOST_FILES = 100_000


@dataclass(frozen=True)
class StoredRow:
    """A row as it stands: `id` is that of `document`, the stored JSON; `row` is it in today's schema."""

    id: str
    path: Path
    document: dict[str, Any]
    row: Row

    @property
    def evidence_path(self) -> Path:
        """The file that the row says its numbers come from."""
        return self.path.with_name(self.row.evidence.file)

    @cached_property
    def record(self) -> Record:
        """All that the evidence says, derived when it is first asked for.

        InputError for another file than the row's, or none, and for evidence from which no record can be derived.
        """
        packed = read_packed(self.evidence_path, self.row.evidence.sha256)
        return kept_record(self.row.evidence.sha256, lambda: _derive(packed, self.evidence_path))

    def read_evidence(self) -> "Evidence":
        """The evidence itself, which must be the file that the row states in every way.

        InputError names the field of the row that is wrong, or says what is wrong with the file.
        """
        from mtlattack.evidence.packing.compact import unpack

        said = self.row.evidence
        expected = said.sha256[:ID_DIGITS] + EVIDENCE_SUFFIX
        if said.file != expected:
            raise InputError(f"evidence.file is {said.file!r}, expected {expected!r}, after evidence.sha256")
        packed = read_packed(self.evidence_path, said.sha256)
        if len(packed) != said.bytes:
            raise InputError(f"evidence.bytes is {said.bytes}, {said.file} has {len(packed)}")
        return unpack(packed, f"evidence: {said.file}")


@dataclass(frozen=True)
class Listing:
    """What lies under `rows/`: folders, rows, evidence, and what has no business there (path and why)."""

    folders: list[Path] = field(default_factory=list)
    rows: list[Path] = field(default_factory=list)
    evidence: list[Path] = field(default_factory=list)
    strangers: list[tuple[Path, str]] = field(default_factory=list)


class Board:
    """The leaderboard in a folder: `rows/<suite>/<model>/<row id>.json`, evidence beside them, `ledger.jsonl`."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise InputError(f"no leaderboard in {self.root}: expected a folder with {ROWS}/ and {LEDGER}")

    @classmethod
    def begun(cls, root: str | Path) -> "Board":
        """The board in a folder that is one already: with rows, or before there are any with a ledger, empty or not.

        InputError for another folder, which `submit` alone makes a board.
        """
        board = cls(root)
        if not (os.path.lexists(board.root / ROWS) or os.path.lexists(board.ledger)):
            raise InputError(f"no leaderboard in {root}: expected {ROWS}/, or where there are no rows yet {LEDGER}")
        return board

    @property
    def ledger(self) -> Path:
        """The file with every row's status."""
        return self.root / LEDGER

    def folder_of(self, row: Row) -> Path:
        """Where a row's file belongs."""
        return self.root / ROWS / row.suite.name / row.model.name

    def listing(self) -> Listing:
        """Every file under `rows/`, links not followed, in the order of their names; none where a ledger is alone.

        InputError where there is neither, for a link, and for too many files.
        """
        found = Listing()
        rows = self.root / ROWS
        alone = os.path.lexists(self.ledger) and not os.path.lexists(rows)
        for depth, path, kind in () if alone else _walk(rows):
            if kind == "folder" and depth <= 2:
                found.folders.append(path)
                if not re.fullmatch(NAME, path.name):
                    found.strangers.append((path, f"a folder's name must match {NAME}"))
            elif kind == "file" and depth == 3 and re.fullmatch(ID[:-1] + re.escape(ROW_SUFFIX) + "$", path.name):
                found.rows.append(path)
            elif kind == "file" and depth == 3 and path.name.endswith(EVIDENCE_SUFFIX):
                found.evidence.append(path)
            else:
                expected = f"{ROWS}/<suite>/<model>/<row id>{ROW_SUFFIX} and *{EVIDENCE_SUFFIX}"
                found.strangers.append((path, f"a {kind} that does not belong here, expected {expected}"))
        return found

    def read_all(self) -> list[StoredRow]:
        """Every row; InputError names the first that cannot be read."""
        return [read_row(path) for path in self.listing().rows]

    def find(self, prefix: str) -> StoredRow:
        """The row whose id begins with `prefix`; InputError if none does, or several do, and for an empty prefix."""
        if not prefix:
            raise InputError("row '', expected the first digits of a row's id")
        paths = [path for path in self.listing().rows if path.stem.startswith(prefix)]
        if not paths:
            raise InputError(f"no row {prefix!r} in {self.root}; `mtlattack leaderboard show` lists them")
        if len({path.stem for path in paths}) > 1:
            more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
            first = ", ".join(path.stem for path in paths[:5])
            raise InputError(f"row {prefix!r} in {self.root} is one of {first}{more}")
        return read_row(paths[0])


def read_row(path: Path) -> StoredRow:
    """The row in a file that nobody has looked at yet.

    InputError names file, field and value: for what is no regular file, is too large, no strict JSON, of another
    schema, not called by its own hash, or not in the folder of its suite and model.
    """
    try:
        document = parse_json(read_regular(path, MOST_ROW_BYTES), most_bytes=MOST_ROW_BYTES)
        if not isinstance(document, dict):
            raise InputError(f"expected a JSON object, got a {type(document).__name__}")
        identity = row_id(document)
        if path.name != identity + ROW_SUFFIX:
            raise InputError(f"its content has the id {identity}: it was changed, or named otherwise")
        row = validate(Row, migrate(document))
        place = (row.suite.name, row.model.name)
        if path.absolute().parts[-3:-1] != place:
            raise InputError(f"suite.name and model.name say that it belongs into {'/'.join(place)}")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return StoredRow(identity, path, document, row)


def read_packed(path: Path, sha256: str) -> bytes:
    """The content of an evidence file; InputError for a link, for what is too large, and for another SHA-256."""
    try:
        packed = read_regular(path, MOST_BYTES)
    except InputError as error:
        raise InputError(f"evidence.file: {path.name} {error}") from None
    found = hashlib.sha256(packed).hexdigest()
    if found != sha256:
        raise InputError(f"evidence.sha256 is {sha256}, {path.name} has {found}")
    return packed


def _derive(packed: bytes, place: Path) -> Record:
    # What is kept needs none of this.
    from mtlattack.evidence.packing.compact import unpack
    from mtlattack.leaderboard.rows.deriving import record_of

    return record_of(unpack(packed, str(place)))


def _walk(folder: Path, depth: int = 1) -> Iterator[tuple[int, Path, str]]:
    """Depth, path and kind of all that lies under `folder`, three folders deep at most; links are not followed."""
    if depth == 1 and (folder.is_symlink() or not folder.is_dir()):
        raise InputError(f"no rows in {folder}: expected a folder <suite>/<model>/<row id>{ROW_SUFFIX}")
    with os.scandir(folder) as entries:
        found = []
        for entry in entries:
            found.append(entry)
            if len(found) > _MOST_FILES:
                raise InputError(f"{folder} holds more than {_MOST_FILES} files")
    for entry in sorted(found, key=lambda each: each.name):
        if entry.is_symlink():
            yield depth, Path(entry), "link"
        elif entry.is_dir(follow_symlinks=False):
            yield depth, Path(entry), "folder"
            if depth < 3:
                yield from _walk(Path(entry), depth + 1)
        else:
            yield depth, Path(entry), "file" if entry.is_file(follow_symlinks=False) else "special file"

"""What somebody may do to a board: rows edited and named anew, evidence forged with all that follows from it."""

import copy
import hashlib
import json
import lzma
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from leaderboard_toys import row_of, store

from mtlattack.canonical import canonical_json
from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import EVIDENCE_SUFFIX, LEDGER, ROW_SUFFIX, Board, StoredRow
from mtlattack.leaderboard.checking import Finding, check_board
from mtlattack.leaderboard.rows.identity import row_id

Change = Callable[[Any], None]


def refusals(root: Path, base: Path | None = None) -> list[str]:
    """What is refused, as it is printed."""
    return said(check_board(root, base), "refused")


def flags(root: Path, base: Path | None = None) -> list[str]:
    """What is flagged, as it is printed."""
    return said(check_board(root, base), "flagged")


def said(findings: list[Finding], severity: str) -> list[str]:
    """The findings of a severity; none may be a bug of the check."""
    texts = [str(finding) for finding in findings if finding.severity == severity]
    assert not [text for text in texts if "please report" in text]
    return texts


def edit(board: Board, stored: StoredRow, change: Change) -> Path:
    """Change a row's document; name the file, and the ledger's line, as its new content wants it."""
    document = json.loads(stored.path.read_text())
    change(document)
    return put(board, stored, canonical_json(document), row_id(document))


def put(board: Board, stored: StoredRow, content: bytes, identity: str) -> Path:
    """In place of a row, any content under any id, with its line in the ledger."""
    stored.path.unlink()
    path = stored.path.with_name(identity + ROW_SUFFIX)
    path.write_bytes(content)
    board.ledger.write_text(board.ledger.read_text().replace(stored.id, identity))
    return path


def plant(board: Board, stored: StoredRow, content: bytes) -> Path:
    """In place of a row's evidence any file, with all that the row says of it."""
    digest = hashlib.sha256(content).hexdigest()
    name = digest[:16] + EVIDENCE_SUFFIX
    stored.evidence_path.unlink()
    stored.path.with_name(name).write_bytes(content)
    edit(board, stored, lambda row: row.update(evidence={"file": name, "sha256": digest, "bytes": len(content)}))
    return stored.path.with_name(name)


def repacked(packed: bytes, change: Callable[[SimpleNamespace], Any]) -> bytes:
    """Packed evidence with its plan, environment or ids changed, whatever to."""
    plain = lzma.decompress(packed)
    size = struct.unpack("<Q", plain[:8])[0]
    header = json.loads(plain[8 : 8 + size])
    said = SimpleNamespace(**json.loads(header["__metadata__"]["mtlattack"]))
    change(said)
    header["__metadata__"]["mtlattack"] = json.dumps(vars(said))
    text = json.dumps(header).encode()
    return lzma.compress(struct.pack("<Q", len(text)) + text + plain[8 + size :], preset=0)


def changed(evidence: Evidence, change: Change) -> Evidence:
    """A copy of evidence, changed."""
    other = copy.deepcopy(evidence)
    change(other)
    return other


def forge(board: Board, stored: StoredRow, evidence: Evidence) -> None:
    """In place of a row the one that other evidence proves, with every hash as it should be."""
    clear(board, stored)
    store(board.root, *row_of(evidence))


def clear(board: Board, stored: StoredRow) -> None:
    """Take a row off the board."""
    shutil.rmtree(stored.path.parent.parent)
    (board.root / LEDGER).unlink()


def other_model(evidence: Evidence) -> Evidence:
    """As if another model had been attacked: other weights, and losses of segmentation that are a little higher."""

    def change(copied: Evidence) -> None:
        copied.plan["model"]["sha256"] = "b" * 64
        for outcome in [copied.clean, *copied.attacked]:
            outcome.losses[:, 0] += 0.125
            outcome.losses[:, 0] = outcome.losses[:, 0].astype("float32")

    return changed(evidence, change)


def can_be_forged(evidence: Evidence) -> bool:
    """Whether any row can be built from it."""
    try:
        row_of(evidence)
    except InputError:
        return False
    return True

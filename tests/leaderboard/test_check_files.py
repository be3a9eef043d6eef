"""What somebody may leave in the folder: nothing of it is followed, opened as what it says, or blown up."""

import io
import lzma
import os
import pickle
import re
import shutil
import struct
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import pytest
from checking_toys import Change, edit, plant, refusals, repacked

from mtlattack.canonical import canonical_json
from mtlattack.evidence.packing.compact import MOST_BYTES
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.checking import check_board
from mtlattack.leaderboard.rows.identity import row_document, row_id


class Exploit:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(Path.cwd() / "exploited"),)


def hdf5() -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("losses", shape=(2**30,), dtype="f4", chunks=(2**20,), compression="gzip", fillvalue=0)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("evidence", bytes(2**26))
    return buffer.getvalue()


def xz(content: bytes) -> bytes:
    return lzma.compress(content, preset=0)


BOMBS = {
    "xz": (lambda: xz(bytes(66 * 2**20)), "expands to more than the 67,108,864 bytes"),
    "xz in xz": (lambda: xz(xz(bytes(2**20))), "its header is truncated"),
    "many xz": (lambda: xz(b"") * 1000, "bytes behind its end"),
    "header": (lambda: xz(struct.pack("<Q", 2**63) + b"{}"), "its header is truncated"),
    "deep header": (lambda: xz(struct.pack("<Q", 10**6) + b"[" * 10**6), "nested more than"),
    "zip": (zipped, "no xz file"),
    "hdf5": (hdf5, "no xz file"),
    "pickle": (lambda: pickle.dumps(Exploit()), "no xz file"),
    "pickle in xz": (lambda: xz(pickle.dumps(Exploit())), "its header is truncated"),
    "nothing": (lambda: b"", "evidence.bytes: Input should be greater than"),
    "large": (lambda: bytes(MOST_BYTES + 1), "is larger than the 4,194,304 bytes"),
    "noise": (lambda: bytes(range(256)), "no xz file"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_for_evidence_is_refused_before_it_grows(
    board: Board, stored: StoredRow, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, message = BOMBS[kind]
    plant(board, stored, make())
    tracemalloc.start()
    try:
        found = refusals(board.root)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert any("evidence" in text and message in text for text in found), found
    assert peak < 200 * 2**20
    assert not (tmp_path / "exploited").exists()


def test_evidence_with_one_bit_flipped_is_refused(board: Board, stored: StoredRow) -> None:
    content = bytearray(stored.evidence_path.read_bytes())
    content[len(content) // 2] ^= 1
    stored.evidence_path.write_bytes(content)
    assert any("evidence.sha256: evidence.sha256 is " in text for text in refusals(board.root))
    plant(board, stored, bytes(content))
    assert any("no xz file" in text for text in refusals(board.root))


def test_missing_evidence_is_refused(board: Board, stored: StoredRow) -> None:
    stored.evidence_path.unlink()
    assert any("evidence.file: " in text and "cannot be read" in text for text in refusals(board.root))


def test_evidence_that_nobody_names_is_refused(board: Board, stored: StoredRow) -> None:
    shutil.copy(stored.evidence_path, stored.path.with_name("0" * 16 + ".evidence.xz"))
    found = refusals(board.root)
    assert found and all("0000000000000000.evidence.xz: no row beside it" in text for text in found)


@pytest.mark.parametrize(
    "name, content",
    [
        ("rows/model.pth", b"x"),
        ("rows/tiny/rooms-resnet10t.shared/model.pth", pickle.dumps({})),
        ("rows/tiny/rooms-resnet10t.shared/evidence.h5", b"\x89HDF"),
        ("rows/tiny/rooms-resnet10t.shared/conftest.py", b"import os"),
        ("rows/tiny/rooms-resnet10t.shared/0123456789ABCDEF.json", b"{}"),
        ("rows/tiny/rooms-resnet10t.shared/deep/er/0123456789abcdef.json", b"{}"),
        ("rows/tiny/0123456789abcdef.json", b"{}"),
        ("rows/tiny/.hidden/0123456789abcdef.json", b"{}"),
        ("rows/tiny/a\n::error::b/0123456789abcdef.json", b"{}"),
    ],
)
def test_a_file_that_has_no_business_here_is_refused(board: Board, name: str, content: bytes) -> None:
    (board.root / name).parent.mkdir(parents=True, exist_ok=True)
    (board.root / name).write_bytes(content)
    found = refusals(board.root)
    assert found
    assert all(text.isprintable() for text in found)


@pytest.mark.parametrize("what", ["row", "evidence", "model", "suite", "rows", "ledger"])
def test_links_are_refused_and_not_followed(board: Board, stored: StoredRow, what: str, tmp_path: Path) -> None:
    path = {
        "row": stored.path,
        "evidence": stored.evidence_path,
        "model": stored.path.parent,
        "suite": stored.path.parent.parent,
        "rows": board.root / "rows",
        "ledger": board.ledger,
    }[what]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    found = refusals(board.root)
    assert any("link" in text or "no rows in" in text for text in found), found


@pytest.mark.parametrize("what", ["row", "evidence", "ledger"])
def test_a_pipe_is_refused_and_not_waited_for(board: Board, stored: StoredRow, what: str) -> None:
    path = {"row": stored.path, "evidence": stored.evidence_path, "ledger": board.ledger}[what]
    path.unlink()
    os.mkfifo(path)
    found = refusals(board.root)
    assert any("special file" in text or "is no regular file" in text for text in found), found


def test_a_folder_in_place_of_a_file_is_refused(board: Board, stored: StoredRow) -> None:
    for path in (stored.path, stored.evidence_path, board.ledger):
        path.unlink()
        path.mkdir()
    assert len(refusals(board.root)) >= 3


def test_names_that_differ_in_case_alone_are_refused(board: Board, stored: StoredRow) -> None:
    shutil.copytree(stored.path.parent, stored.path.parent.with_name("ROOMS-resnet10t.shared"))
    assert any("upper and lower case alone" in text for text in refusals(board.root))


def test_too_many_files_are_refused(board: Board, stored: StoredRow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlattack.leaderboard.board._MOST_FILES", 1)
    assert any(re.search("holds more than 1 file", text) for text in refusals(board.root))


def test_a_board_without_rows_is_empty(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").touch()
    assert check_board(tmp_path, tmp_path) == [] and Board(tmp_path).read_all() == []


def test_one_evidence_serves_one_row(board: Board, stored: StoredRow) -> None:
    document = row_document(stored.row)
    document["model"]["note"] = "again"
    second = stored.path.with_name(row_id(document) + ".json")
    second.write_bytes(canonical_json(document))
    with board.ledger.open("a") as file:
        file.write(board.ledger.read_text().replace(stored.id, second.stem))
    found = refusals(board.root)
    assert any(f"{second.name}: evidence.sha256: the evidence is that of row {stored.id}" in text for text in found)
    assert any(f"{second.name}: model.weights_sha256: row {stored.id} (" in text for text in found)
    assert len(found) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.plan.update(attacks=[], ensembles=[]),
        lambda e: e.plan.update(suite=None),
        lambda e: e.plan.update(tasks=[{"kind": "segmentation", "classes": 10**9}]),
        lambda e: e.plan.update(preparation={"search": []}),
        lambda e: e.plan.pop("model"),
        lambda e: e.plan["ensembles"].append({"members": [99]}),
        lambda e: e.environment.update(calls={"again": "no"}),
        lambda e: e.environment.update(calls=5),
        lambda e: e.environment.pop("started"),
    ],
)
def test_a_plan_that_is_none_is_refused(board: Board, stored: StoredRow, change: Change) -> None:
    plant(board, stored, repacked(stored.evidence_path.read_bytes(), change))
    found = refusals(board.root)
    assert any("evidence: " in text and ("plan" in text or "environment" in text) for text in found), found


def test_the_message_of_a_hostile_name_is_one_line(board: Board, stored: StoredRow) -> None:
    edit(board, stored, lambda row: row.update({"\n::set-output name=x::y\x1b[2J\u202e" * 200: 1}))
    found = refusals(board.root)
    assert found and all(text.isprintable() and len(text) < 4000 for text in found)

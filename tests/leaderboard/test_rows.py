"""Rows: built from evidence, stored under their own hash, read back without being trusted."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from leaderboard_toys import MODEL, card_of, row_of, store
from pydantic import ValidationError

from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow, read_row
from mtlattack.leaderboard.rows.building import build_row
from mtlattack.leaderboard.rows.identity import row_document, row_id, row_text
from mtlattack.leaderboard.rows.plan import Plan

Document = dict[str, Any]


def test_a_stored_row_reads_back(stored: StoredRow, tiny_evidence: Evidence) -> None:
    assert stored.document == json.loads(row_text(stored.row))
    assert stored.path.parts[-3:] == ("tiny", MODEL, f"{stored.id}.json")
    again = build_row(tiny_evidence, stored.row.model, stored.row.submitted, stored.row.evidence)
    assert again == stored.row and row_id(row_document(again)) == stored.id


def test_the_id_is_of_the_content_not_of_its_writing(stored: StoredRow) -> None:
    reordered = json.loads(json.dumps(stored.document, indent=3, sort_keys=False))
    assert row_id(dict(reversed(reordered.items()))) == stored.id
    assert row_id(stored.document | {"surplus": {}}) != stored.id


def test_a_row_is_a_card_and_where_its_evidence_lies(stored: StoredRow) -> None:
    assert set(stored.document) == {"format", "schema_version", "suite", "model", "submitted", "evidence"}
    assert stored.record.model["sha256"] == stored.row.model.weights_sha256
    assert stored.record.suite is not None and stored.record.suite["sha256"] == stored.row.suite.sha256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["suite"].update(version="2"), "suite.version: .*integer .got '2'"),
        (lambda d: d["model"].update(sharing_degree=1.5), "model.sharing_degree"),
        (lambda d: d["model"].update(name="../../etc"), "model.name"),
        (lambda d: d["model"].update(name=".hidden"), "model.name"),
        (lambda d: d["model"].update(code="javascript:alert(1)"), "model.code"),
        (lambda d: d["model"].update(code="https://a.b/'onmouseover=x"), "model.code"),
        (lambda d: d["model"].update(licence="MIT\u202e"), "model.licence"),
        (lambda d: d["model"].update(note="a\x00b"), "model.note"),
        (lambda d: d["submitted"].update(at="2026-01-01T00:00:00"), "submitted.at"),
        (lambda d: d["submitted"].update(at=1767225600), "submitted.at: expected a time as text"),
        (lambda d: d["evidence"].update(bytes=True), "evidence.bytes"),
        (lambda d: d["evidence"].update(sha256="0"), "evidence.sha256"),
        (lambda d: d.update(attacks=[]), "attacks: Extra inputs"),
        (lambda d: d.update(surplus=1), "surplus"),
        (lambda d: d.pop("model"), "model"),
        (lambda d: d.update(schema_version=3), "schema_version is 3, expected a whole number from 1 to 2"),
        (lambda d: d.update(schema_version=True), "schema_version is True"),
    ],
)
def test_a_wrong_field_is_named(change: Callable[[Document], object], message: str, stored: StoredRow) -> None:
    document = json.loads(json.dumps(stored.document))
    change(document)
    path = stored.path.with_name(f"{row_id(document)}.json")
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=message) as caught:
        read_row(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_changed_row_no_longer_has_its_name(stored: StoredRow) -> None:
    stored.path.write_text(stored.path.read_text().replace('"licence":"MIT"', '"licence":"BSD"'))
    with pytest.raises(InputError, match="its content has the id [0-9a-f]{16}: it was changed, or named otherwise"):
        read_row(stored.path)


def test_a_row_belongs_into_its_folder(stored: StoredRow) -> None:
    elsewhere = stored.path.parent.with_name("other") / stored.path.name
    elsewhere.parent.mkdir()
    shutil.copy(stored.path, elsewhere)
    with pytest.raises(InputError, match=f"it belongs into tiny/{MODEL}"):
        read_row(elsewhere)


def test_a_huge_row_is_not_read(stored: StoredRow) -> None:
    with stored.path.open("r+b") as file:
        file.truncate(2**31)  # sparse: takes no room
    with pytest.raises(InputError, match="is larger than the 2,097,152 bytes that are allowed"):
        read_row(stored.path)


def test_links_and_devices_are_no_rows(stored: StoredRow, tmp_path: Path) -> None:
    target = tmp_path / "target.json"
    stored.path.rename(target)
    stored.path.symlink_to(target)
    with pytest.raises(InputError, match="is a link, expected a file"):
        read_row(stored.path)
    stored.path.unlink()
    os.mkfifo(stored.path)
    with pytest.raises(InputError, match="is no regular file"):
        read_row(stored.path)


def test_the_listing_names_what_does_not_belong(board: Board, stored: StoredRow) -> None:
    folder = stored.path.parent
    (folder / "weights.pth").write_bytes(b"")
    (folder / "notes.json").write_text("{}")
    (folder / "deeper").mkdir()
    (folder.parent / "link").symlink_to(folder)
    (folder.parent / ".hidden").mkdir()
    (board.root / "rows" / "stray.json").write_text("{}")
    listing = board.listing()
    assert listing.rows == [stored.path] and listing.evidence == [stored.evidence_path]
    names = [path.name for path, _ in listing.strangers]
    assert sorted(names) == [".hidden", "deeper", "link", "notes.json", "stray.json", "weights.pth"]


def test_a_row_is_found_by_the_beginning_of_its_id(board: Board, stored: StoredRow, tiny_evidence: Evidence) -> None:
    other = store(board.root, *row_of(tiny_evidence, name="another"))
    assert board.find(stored.id[:8]).id == stored.id and board.find(other.id).row.model.name == "another"
    with pytest.raises(InputError, match="row '', expected the first digits"):
        board.find("")
    with pytest.raises(InputError, match="no row 'zz'"):
        board.find("zz")
    with pytest.raises(InputError, match="no leaderboard in"):
        Board(board.root / "none")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights_sha256": "0" * 64}, "model.weights_sha256 is 0{64}, the evidence has [0-9a-f]{64}"),
        ({"parameters": 1}, "model.parameters is 1, the evidence has 341740"),
    ],
)
def test_a_card_of_another_model_is_refused(changes: Document, message: str, tiny_evidence: Evidence) -> None:
    with pytest.raises(InputError, match=message):
        row_of(tiny_evidence, **changes)


def test_a_run_outside_a_suite_is_no_row(tiny_evidence: Evidence, stored: StoredRow) -> None:
    for change, message in (
        ({"suite": None}, "suite: the run was outside a suite"),
        ({"attacks": []}, "attacks: a clean run"),
        ({"seed": "0"}, "plan: seed"),
        ({"data": tiny_evidence.plan["data"] | {"images": 4}}, "data.images is 4, there are 3 ids"),
    ):
        outside = Evidence(**vars(tiny_evidence) | {"plan": tiny_evidence.plan | change})
        with pytest.raises(InputError, match=message):
            build_row(outside, card_of(tiny_evidence), stored.row.submitted, stored.row.evidence)


def test_the_first_wrong_item_of_a_long_list_ends_it(tiny_evidence: Evidence) -> None:
    for key in ("tasks", "attacks", "ensembles"):
        with pytest.raises(ValidationError) as caught:
            Plan.model_validate(tiny_evidence.plan | {key: [1] * 10_000})
        assert caught.value.error_count() < 50

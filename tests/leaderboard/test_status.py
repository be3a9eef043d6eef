"""The ledger as maintainers write it: several events or none, and successors that are of a kind."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command_toys import bad
from full_disk_toys import full_disk
from leaderboard_toys import row_of, store

from mtlattack.cli.leaderboard.status import set_status
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.ledger import Event, append, read_ledger, statuses
from mtlattack.leaderboard.succession import check_succession

A, B = "a" * 16, "b" * 16


def event(row: str, status: str, successor: str | None = None) -> Event:
    return Event(row=row, status=status, at=datetime.now(UTC), by="somebody", successor=successor)  # type: ignore[arg-type]


def another(board: Board, evidence: Evidence, weights: str, name: str, **suite: object) -> StoredRow:
    """A row more: of other weights, under another name or version."""
    plan = evidence.plan
    model, changed = {**plan["model"], "sha256": weights * 64}, plan["suite"] | suite
    return store(board.root, *row_of(replace(evidence, plan=plan | {"model": model, "suite": changed}), name=name))


def test_several_events_are_appended_or_none(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    append(path, event(A, "self-reported"))
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"row {A} is superseded: status 'verified', expected nothing more"):
        append(path, event(B, "self-reported"), event(A, "superseded", B), event(A, "verified"))
    assert path.read_bytes() == before
    append(path, event(B, "self-reported"), event(A, "superseded", B))
    assert path.read_bytes().startswith(before) and len(read_ledger(path)) == 3


def test_a_disk_that_takes_a_part_of_a_line_takes_none(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    append(path, event(A, "self-reported"))
    before = path.read_bytes()
    with full_disk(len(before) + 10), pytest.raises(InputError, match="cannot write to .*the disk took a part"):
        append(path, event(B, "self-reported"))
    assert path.read_bytes() == before


def test_a_ledger_that_cannot_be_written(board: Board, stored: StoredRow, monkeypatch: pytest.MonkeyPatch) -> None:
    before = board.ledger.read_bytes()

    def refuse(path: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        mistake = bad("status", stored.id, "retracted", "--by", "somebody", "--board", board.root)
    assert mistake == f"cannot write to {board.ledger} (Permission denied)"
    assert board.ledger.read_bytes() == before


def test_a_status_is_a_line_more(board: Board, stored: StoredRow, capsys: pytest.CaptureFixture[str]) -> None:
    before, row = board.ledger.read_bytes(), stored.path.read_bytes()
    set_status(stored.id[:5], "verified", by="keeper", note="8 images", board=board.root)
    assert f"{stored.id} {stored.row.model.name}: verified" in capsys.readouterr().out
    set_status(stored.id, "disputed", by="another", board=board.root)
    assert board.ledger.read_bytes().startswith(before) and stored.path.read_bytes() == row
    events = read_ledger(board.ledger)[1:]
    assert [(e.row, e.status, e.by, e.note) for e in events] == [
        (stored.id, "verified", "keeper", "8 images"),
        (stored.id, "disputed", "another", ""),
    ]


def test_a_row_is_superseded_by_one_of_its_kind(board: Board, stored: StoredRow, tiny_evidence: Evidence) -> None:
    newer = another(board, tiny_evidence, "a", stored.row.model.name)
    stranger = another(board, tiny_evidence, "b", "other")
    other_suite = another(board, tiny_evidence, "c", stored.row.model.name, version=2)
    before = board.ledger.read_bytes()
    for successor, message in (
        (stranger.id, "of other with other weights: expected the same model, by name or by weights"),
        (other_suite.id, "of tiny v1, its successor of tiny v2: expected the same suite and version"),
        (stored.id, "cannot supersede itself"),
        ("0" * 16, "no row '0000"),
        (None, "its successor is missing"),
    ):
        with pytest.raises(InputError, match=message):
            set_status(stored.id, "superseded", by="keeper", successor=successor, board=board.root)
    for status, successor in (("verified", newer.id), ("retracted", other_suite.id), ("retracted", "0" * 16)):
        with pytest.raises(InputError, match=f"status '{status}' has no successor, got {successor}; only superseded"):
            set_status(stored.id, status, by="keeper", successor=successor, board=board.root)
    assert board.ledger.read_bytes() == before
    set_status(stored.id, "superseded", by="keeper", successor=newer.id, board=board.root)
    assert statuses(read_ledger(board.ledger))[stored.id].successor == newer.id


def test_the_same_weights_under_another_name_are_of_a_kind(stored: StoredRow, tiny_evidence: Evidence) -> None:
    check_succession(stored, row_of(tiny_evidence, name="renamed")[0])


@pytest.mark.parametrize(
    ("row", "status", "said", "message"),
    [
        ("", "verifed", {"by": "a"}, "unknown status 'verifed'; did you mean 'verified'?"),
        ("f" * 17, "verified", {"by": "a"}, "no row 'fff"),
        (
            "",
            "self-reported",
            {"by": "a"},
            "is self-reported: status 'self-reported', expected verified or disputed or",
        ),
        ("", "verified", {"by": ""}, "status: by: "),
        ("", "verified", {"by": "a\nb"}, "status: by: "),
        ("", "verified", {"by": "a", "note": "\x1b[2J"}, "status: note: "),
        ("", "verified", {"by": "a", "note": "x" * 2001}, "status: note: "),
    ],
)
def test_what_cannot_be_said_of_a_row(
    row: str, status: str, said: dict[str, str], message: str, board: Board, stored: StoredRow
) -> None:
    before = board.ledger.read_bytes()
    with pytest.raises((InputError, UnknownNameError)) as error:
        set_status(row or stored.id, status, **said, board=board.root)
    assert message in str(error.value) and board.ledger.read_bytes() == before


def test_what_was_withdrawn_stays_so(board: Board, stored: StoredRow) -> None:
    set_status(stored.id, "retracted", by="keeper", board=board.root)
    for status in ("verified", "self-reported", "disputed"):
        with pytest.raises(InputError, match="is retracted: status .*, expected nothing more"):
            set_status(stored.id, status, by="keeper", board=board.root)


def test_a_submission_that_was_broken_off_is_completed(board: Board, stored: StoredRow) -> None:
    board.ledger.unlink()
    with pytest.raises(InputError, match="is new: status 'verified', expected self-reported"):
        set_status(stored.id, "verified", by="keeper", board=board.root)
    set_status(stored.id, "self-reported", by="keeper", board=board.root)
    assert statuses(read_ledger(board.ledger))[stored.id].status == "self-reported"

"""A pull request against its base: what stands stays, what comes is new, and says no more of itself than it may."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from checking_toys import changed, flags, other_model, refusals
from leaderboard_toys import row_of, store

from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.ledger import Event, append


@pytest.fixture
def base(board: Board, tmp_path: Path) -> Path:
    """The board as it was."""
    return shutil.copytree(board.root, tmp_path / "base")


@pytest.fixture(scope="module")
def newcomer(tiny_evidence: Evidence) -> tuple[Any, bytes]:
    """An honest row of another model."""
    return row_of(other_model(tiny_evidence), name="other-model")


@pytest.fixture(scope="module")
def rerun(tiny_evidence: Evidence) -> tuple[Any, bytes]:
    """A later run of the model that is on the board."""

    def change(evidence: Evidence) -> None:
        for outcome in evidence.attacked:
            outcome.seconds[:] *= 2

    return row_of(changed(tiny_evidence, change))


def event(row: str, status: str, **more: Any) -> Event:
    return Event(row=row, status=status, at=datetime.now(UTC), by="somebody", **more)  # type: ignore[arg-type]


def write(board: Board, *lines: dict[str, Any]) -> None:
    """Put lines behind the ledger, whether they may stand there or not."""
    with board.ledger.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def line(row: str, status: str, hours: float = 0, **more: Any) -> dict[str, Any]:
    at = datetime.now(UTC) + timedelta(hours=hours)
    return {"row": row, "status": status, "at": at.isoformat(), "by": "somebody", **more}


def test_a_new_honest_row_may_enter(board: Board, base: Path, newcomer: Any) -> None:
    store(board.root, *newcomer)
    assert refusals(board.root, base) == []
    assert not [text for text in flags(board.root, base) if "ledger" in text or "every loss" in text]


def test_an_unchanged_board_passes(board: Board, base: Path) -> None:
    assert refusals(board.root, base) == []


def test_the_first_row_of_all_may_enter(board: Board, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "ledger.jsonl").touch()
    assert refusals(board.root, tmp_path / "base") == []


def delete_row(board: Board, stored: StoredRow) -> None:
    stored.path.unlink()


def delete_evidence(board: Board, stored: StoredRow) -> None:
    stored.evidence_path.unlink()


def modify_row(board: Board, stored: StoredRow) -> None:
    stored.path.write_text(stored.path.read_text() + "\n")


def modify_evidence(board: Board, stored: StoredRow) -> None:
    stored.evidence_path.write_bytes(stored.evidence_path.read_bytes() + b"\0\0\0\0")


def rename_row(board: Board, stored: StoredRow) -> None:
    stored.path.rename(stored.path.with_name("0" * 16 + ".json"))


def rename_model(board: Board, stored: StoredRow) -> None:
    stored.path.parent.rename(stored.path.parent.with_name("my-model"))


def link_row(board: Board, stored: StoredRow) -> None:
    stored.path.rename(board.root / "row.json")
    stored.path.symlink_to(board.root / "row.json")


@pytest.mark.parametrize(
    "change, file, verb",
    [
        (delete_row, "row", "deleted"),
        (delete_evidence, "evidence", "deleted"),
        (modify_row, "row", "modified"),
        (modify_evidence, "evidence", "modified"),
        (rename_row, "row", "deleted or renamed"),
        (rename_model, "evidence", "deleted or renamed"),
        (link_row, "row", "deleted or renamed"),
    ],
)
def test_what_is_on_the_board_stays(
    board: Board, base: Path, stored: StoredRow, change: Callable[..., None], file: str, verb: str
) -> None:
    change(board, stored)
    path = (stored.path if file == "row" else stored.evidence_path).relative_to(board.root)
    assert any(text.startswith(f"refused: {path}: {verb}") for text in refusals(board.root, base))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda text: "", "ledger.jsonl: line 1: rewritten or left out"),
        (lambda text: text[:-1], "ledger.jsonl: the last line does not end"),
        (lambda text: text.replace("somebody", "nobody"), "ledger.jsonl: line 1: rewritten"),
        (lambda text: " " + text, "ledger.jsonl: line 1: rewritten"),
        (lambda text: "\n" + text, "ledger.jsonl: line 1: this is no JSON"),
        (lambda text: text * 2, "ledger.jsonl: line 2: row "),
        (lambda text: text + "{}\n", "ledger.jsonl: line 2: row: Field required"),
        (lambda text: text + "[1]\n", "ledger.jsonl: line 2: expected a JSON object, got a list"),
        (lambda text: text + '{"row": NaN}\n', "ledger.jsonl: line 2: JSON has NaN"),
        (lambda text: text + "x" * 9000 + "\n", "ledger.jsonl: line 2: JSON has 9,000 bytes"),
        (lambda text: text + json.dumps(line("0" * 16, "self-reported")) + "\n", "is none of the board's"),
        (lambda text: text.replace('"self-reported"', '"verified"'), "is new: status 'verified', expected self-rep"),
        (lambda text: text.replace('"self-reported"', '"best"'), "ledger.jsonl: line 1: status: Input should be"),
    ],
)  # fmt: skip
def test_the_ledger_is_only_ever_appended_to(
    board: Board, base: Path, change: Callable[[str], str], message: str
) -> None:
    board.ledger.write_text(change(board.ledger.read_text()))
    found = refusals(board.root, base)
    assert any(message in text for text in found), found


def test_every_line_that_is_wrong_is_named(board: Board) -> None:
    write(board, {}, {"row": 1}, line("0" * 16, "self-reported", hours=5))
    found = refusals(board.root)
    assert [sum(f"line {n}: " in text for text in found) for n in (1, 2, 3, 4)] == [0, 1, 1, 2]
    assert any("line 4: row 0000000000000000: at 2" in text and "in the future" in text for text in found)


def test_a_row_without_a_line_in_the_ledger_is_refused(board: Board, base: Path, newcomer: Any) -> None:
    before = board.ledger.read_text()
    new = store(board.root, *newcomer)
    board.ledger.write_text(before)
    found = refusals(board.root, base)
    assert any(f"{new.path.name}: the ledger has no line for it, expected one of row {new.id}" in t for t in found)


@pytest.mark.parametrize("status", ["verified", "disputed", "retracted"])
def test_a_new_row_may_only_be_self_reported(board: Board, base: Path, newcomer: Any, status: str) -> None:
    append(board.ledger, event(store(board.root, *newcomer).id, status))
    assert any(f"is new: status '{status}', expected \"self-reported\"" in t for t in refusals(board.root, base))


def test_with_new_rows_the_others_keep_their_status(board: Board, base: Path, stored: StoredRow, newcomer: Any) -> None:
    store(board.root, *newcomer)
    append(board.ledger, event(stored.id, "retracted"))
    found = refusals(board.root, base)
    assert len(found) == 1
    assert f"line 3: row {stored.id} becomes retracted: with new rows" in found[0]


def test_a_status_changed_by_itself_is_for_a_maintainer(board: Board, base: Path, stored: StoredRow) -> None:
    append(board.ledger, event(stored.id, "verified"))
    assert refusals(board.root, base) == []
    assert any("line 2: " in text and "for a maintainer to approve" in text for text in flags(board.root, base))


def test_a_status_goes_only_where_it_may(board: Board, base: Path, stored: StoredRow) -> None:
    write(board, line(stored.id, "retracted"), line(stored.id, "verified"))
    found = refusals(board.root, base)
    assert any(
        "line 3: " in text and "is retracted: status 'verified', expected nothing more" in text for text in found
    )


def test_a_duplicate_is_refused_until_it_supersedes(board: Board, base: Path, stored: StoredRow, rerun: Any) -> None:
    new = store(board.root, *rerun)
    found = refusals(board.root, base)
    assert len(found) == 1
    assert f"{new.path.name}: model.weights_sha256: row {stored.id} (" in found[0]
    assert f'{stored.id} is "superseded" with the successor {new.id}' in found[0]
    append(board.ledger, event(stored.id, "superseded", successor=new.id))
    assert refusals(board.root, base) == []
    assert refusals(board.root) == []


def test_a_row_is_superseded_only_by_one_of_its_model(
    board: Board, base: Path, stored: StoredRow, newcomer: Any
) -> None:
    new = store(board.root, *newcomer)
    write(board, line(stored.id, "superseded", successor=new.id))
    assert any("expected the same model, by name or by weights" in text for text in refusals(board.root, base))


def test_other_weights_under_the_same_name_may_supersede_with_a_maintainer(
    board: Board, base: Path, stored: StoredRow, tiny_evidence: Evidence
) -> None:
    new = store(board.root, *row_of(other_model(tiny_evidence)))
    append(board.ledger, event(stored.id, "superseded", successor=new.id))
    assert refusals(board.root, base) == []
    assert any(f"superseded by {new.id}, of other weights: for a maintainer" in t for t in flags(board.root, base))


def test_a_corrected_card_supersedes_with_the_same_evidence(
    board: Board, base: Path, stored: StoredRow, tiny_evidence: Evidence
) -> None:
    row, packed = stored.row, stored.evidence_path.read_bytes()
    new = store(board.root, row.model_copy(update={"model": row.model.model_copy(update={"note": "better"})}), packed)
    append(board.ledger, event(stored.id, "superseded", successor=new.id))
    assert refusals(board.root, base) == []


def test_labels_count_the_same_in_every_row(board: Board, base: Path, tiny_evidence: Evidence) -> None:
    def change(evidence: Evidence) -> None:
        for outcome in [evidence.clean, *evidence.attacked]:
            # One pixel less of depth, far off so that everything else can be.
            statistics = outcome.statistics["depth"]
            statistics[:, 0] -= 1
            statistics[:, 4:] = statistics[:, 4:].clip(max=statistics[:, :1])
            column = list(evidence.tasks).index("depth")
            outcome.losses[:, column] = (statistics[:, 1] / statistics[:, 0]).astype("float32")

    new = store(board.root, *row_of(changed(other_model(tiny_evidence), change), name="other-model"))
    found = refusals(board.root, base)
    assert any(
        f"{new.path.name}: tasks.depth: row " in text and "counted the same labels otherwise" in text for text in found
    )


def test_losses_of_another_model_are_flagged(board: Board, base: Path, tiny_evidence: Evidence) -> None:
    copied = changed(tiny_evidence, lambda e: e.plan["model"].update(sha256="b" * 64))
    new = store(board.root, *row_of(copied, name="copy"))
    assert refusals(board.root, base) == []
    assert any(f"{new.path.name}: attacks: every loss is that of row" in text for text in flags(board.root, base))


def test_a_successor_that_is_not_there_is_refused(board: Board, stored: StoredRow) -> None:
    write(board, line(stored.id, "superseded", successor="0" * 16))
    assert any("line 2: successor 0000000000000000 is none" in text for text in refusals(board.root))

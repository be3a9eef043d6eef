"""`mtlattack leaderboard verify`: what it says, what it records, and whose checkpoint it takes."""

import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from checking_toys import clear
from leaderboard_toys import IMAGES, MODEL, row_of, store
from verify_toys import OTHER, job_of, put_forged, weaken

from mtlattack.cli import main
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.ledger import Event, append, read_ledger
from mtlattack.models import create_model
from mtlattack.models.checkpoint_files import file_hash
from mtlattack.models.zoo import model_path

# What `Command` looks at is less.
WHOLE = ("--images", IMAGES, "--attacks", "*")


class Command:
    """`mtlattack leaderboard verify` in this process: exit code, standard output, standard error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], board: Board) -> None:
        self._monkeypatch, self._capsys, self._board = monkeypatch, capsys, board

    def __call__(self, row: str, *arguments: object) -> tuple[int, str, str]:
        options = ["--board", str(self._board.root), "--device", "cpu", "--images", "2", "--attacks", "fgsm-dgba"]
        arguments_all = ["mtlattack", "leaderboard", "verify", row, *options, *map(str, arguments)]
        self._monkeypatch.setattr(sys, "argv", arguments_all)
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        return int(ended.value.code or 0), out, err


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], board: Board) -> Command:
    return Command(monkeypatch, capsys, board)


def test_the_command_says_what_it_found(verify: Command, stored: StoredRow) -> None:
    code, out, err = verify(stored.id[:6], "--nonce", "abc", "--eps", "all")
    assert (code, err) == (0, "")
    assert "2 of 3 images, --nonce abc" in out and "linf 2/255" in out and "linf 4/255" in out
    assert f"row {stored.id} agrees" in out and "NO" not in out
    drawn = [verify(stored.id)[1].partition("--nonce ")[2].partition(":")[0] for _ in range(2)]
    assert drawn[0] != drawn[1] and all(len(nonce) == 16 for nonce in drawn)
    assert not [event for event in read_ledger(stored.path.parents[3] / "ledger.jsonl") if event.status == "verified"]


def test_the_command_disputes_a_forged_row(verify: Command, board: Board, tiny_evidence: Evidence) -> None:
    stored = put_forged(board, tiny_evidence, lambda e: weaken(e, job_of(e, "fgsm-dgba"), 0.95))
    code, out, err = verify(stored.id, "--record", "--by", "somebody else")
    assert (code, err) == (1, "") and "does NOT agree" in out and "NO" in out
    last = read_ledger(board.ledger)[-1]
    assert (last.row, last.status, last.by) == (stored.id, "disputed", "somebody else")
    assert "fgsm-dgba, log ratio of" in last.note and "2 of 3 images, nonce " in last.note and "torch" in last.note
    assert "1 attack at linf 4/255; " in last.note


@pytest.mark.sampled(3)
@pytest.mark.parametrize("less", [("--attacks", "*"), ("--images", 3), (*WHOLE, "--eps", 2)])
def test_verified_takes_more_than_a_glance(
    less: tuple[object, ...], verify: Command, board: Board, stored: StoredRow
) -> None:
    kept = board.ledger.read_bytes()
    code, out, err = verify(stored.id, "--record", "--by", "somebody else", *less)
    assert code == 2 and "agrees, but `verified` takes every attack" in err and "agrees with its evidence" in out
    assert board.ledger.read_bytes() == kept


@pytest.mark.slow
def test_verified_is_recorded_once(verify: Command, board: Board, stored: StoredRow) -> None:
    code, _, err = verify(stored.id, "--record")
    assert code == 2 and "--record needs --by" in err
    assert verify(stored.id, "--record", "--by", "somebody else", *WHOLE)[0] == 0
    assert [event.status for event in read_ledger(board.ledger)] == ["self-reported", "verified"]
    code, out, err = verify(stored.id, "--record", "--by", "somebody else", *WHOLE)
    assert code == 2 and "is verified: status 'verified', expected disputed" in err and "agrees" in out
    append(board.ledger, Event(row=stored.id, status="retracted", at=datetime.now(UTC), by="somebody"))
    before = board.ledger.read_bytes()
    code, out, err = verify(stored.id, "--record", "--by", "somebody else")
    assert (code, out) == (2, "") and "is retracted: neither verified nor disputed" in err
    code, out, err = verify(stored.id, "--record", "--by", "two\nlines")
    assert (code, out) == (2, "") and board.ledger.read_bytes() == before


def test_a_name_is_looked_at_before_anything_is_attacked(verify: Command, board: Board, stored: StoredRow) -> None:
    code, out, err = verify(stored.id, "--record", "--by", "two\nlines")
    assert (code, out) == (2, "") and "event: by: " in err
    assert [event.status for event in read_ledger(board.ledger)] == ["self-reported"]


@pytest.mark.parametrize("eps", ["3", "nan", "4,3"])
def test_another_eps_is_named_as_it_was_typed(verify: Command, stored: StoredRow, eps: str) -> None:
    code, out, err = verify(stored.id, "--eps", eps)
    assert (code, out) == (2, "") and f"no eps {eps[-3:].lstrip('4,')}, expected one of 2, 4" in err


def test_a_swapped_checkpoint(verify: Command, stored: StoredRow, tmp_path: Path) -> None:
    assert verify(stored.id, "--checkpoint", model_path(MODEL))[0] == 0
    wanted = file_hash(model_path(MODEL))
    # The file of another model, under its own name and under the row's.
    same_name = tmp_path / "swapped" / model_path(MODEL).name
    same_name.parent.mkdir()
    shutil.copy(model_path(OTHER), same_name)
    for path in (model_path(OTHER), same_name):
        code, out, err = verify(stored.id, "--checkpoint", path)
        assert (code, out) == (2, "")
        assert "another checkpoint" in err and wanted in err and file_hash(model_path(OTHER)) in err
    code, _, err = verify(stored.id, "--model", OTHER)
    assert code == 2 and "another checkpoint" in err
    code, _, err = verify(stored.id, "--checkpoint", tmp_path / "none.safetensors")
    assert code == 2 and "no checkpoint file" in err
    code, _, err = verify("0123456789abcdef")
    assert code == 2 and "no row '0123456789abcdef'" in err


def test_a_row_that_names_the_swapped_file(verify: Command, board: Board, tiny_evidence: Evidence) -> None:
    clear(board, board.read_all()[0])
    row = row_of(tiny_evidence, checkpoint_sha256=file_hash(model_path(OTHER)), name="elsewhere")
    stored = store(board.root, *row)
    code, _, err = verify(stored.id, "--checkpoint", model_path(OTHER))
    assert code == 2 and "other weights" in err and stored.row.model.weights_sha256 in err
    code, _, err = verify(stored.id)
    assert code == 2 and "elsewhere is no model of the zoo: give its --checkpoint" in err


class Trap:
    """Pickled, it asks whoever reads it to make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_foreign_weights_are_read_and_nothing_in_them_is_run(
    verify: Command, board: Board, tiny_evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_for_verify.py").write_text(
        f"from mtlattack.models import create_model, create_network\n"
        f"def make():\n    return create_network(create_model({MODEL!r}).config)\n"
    )
    monkeypatch.chdir(tmp_path)
    weights, trap, sprung = tmp_path / "weights.pth", tmp_path / "trap.pth", tmp_path / "sprung"
    torch.save(create_model(MODEL).state_dict(), weights)
    torch.save({"state_dict": Trap(sprung)}, trap)
    rows = {}
    for path in (weights, trap):
        changes = {"checkpoint_sha256": file_hash(path), "name": path.stem}
        rows[path] = store(board.root, *row_of(tiny_evidence, **changes)).id
    factory = ("--model", "mine_for_verify:make")
    assert verify(rows[weights], *factory, "--checkpoint", weights)[0] == 0
    code, _, err = verify(rows[trap], *factory, "--checkpoint", trap)
    assert code == 2 and "which is refused: to read it can run code" in err
    assert not sprung.exists()
    code, _, err = verify(rows[weights], *factory)
    assert code == 2 and "needs --checkpoint" in err
    code, _, err = verify(rows[weights], "--checkpoint", weights)
    assert code == 2 and "holds weights alone" in err

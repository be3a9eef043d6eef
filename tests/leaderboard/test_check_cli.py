"""`mtlattack leaderboard check` prints what it finds, and its exit code says whether anything is refused."""

import shutil
import sys
from pathlib import Path

import pytest

from mtlattack.cli import main
from mtlattack.leaderboard.board import Board, StoredRow


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["mtlattack", "leaderboard", "check", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_a_good_board_ends_with_0_though_something_is_flagged(
    board: Board, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, str(board.root)) == 0
    *findings, summary = capsys.readouterr().out.splitlines()
    assert all(line.startswith("flagged: ") for line in findings)
    assert summary == f"{board.root}: nothing refused, {len(findings)} flagged"


def test_what_is_refused_comes_first_and_ends_with_2(
    board: Board, stored: StoredRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = shutil.copytree(board.root, tmp_path / "base")
    stored.evidence_path.unlink()
    assert run(monkeypatch, str(board.root), "--base", str(base)) == 2
    *findings, summary = capsys.readouterr().out.splitlines()
    assert summary == f"{board.root}: 2 refused, 0 flagged"
    assert findings[0].startswith("refused: rows/tiny/rooms-resnet10t.shared/")


def test_no_board_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, str(tmp_path / "none")) == 2
    assert "no leaderboard in" in capsys.readouterr().err


def test_a_folder_that_is_no_board_is_a_mistake_and_none_is_changed_by_a_pull_request(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "README.md").touch()
    for arguments in ([other], [board.root, "--base", other], [board.root, "--base", board.root.parent]):
        assert run(monkeypatch, *map(str, arguments)) == 2
        said = capsys.readouterr()
        assert said.out == "" and f"no leaderboard in {arguments[-1]}: expected rows/, or where" in said.err

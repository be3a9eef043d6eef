"""The page from a network to a row, as it is written: its code, its data, and its commands on a suite of two images."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from leaderboard_toys import TINY_SUITE, write_suite
from typer.testing import CliRunner

import mtlattack as mta
from mtlattack.cli.application import app
from mtlattack.leaderboard.board import Board

PAGE = (Path(mta.__file__).parent / "models" / "TO_A_ROW.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.S)
COMMANDS = re.findall(r"^mtlattack (.*)$", PAGE, re.M)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where somebody works: the page's file, and a board beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_net.py").write_text(CODE[0])
    (tmp_path / "leaderboard" / "rows").mkdir(parents=True)
    (tmp_path / "leaderboard" / "ledger.jsonl").touch()
    yield tmp_path
    sys.modules.pop("my_net", None)


def test_the_first_number_on_images_of_ones_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = (6, 8)
    labels = {
        "segmentation": torch.randint(0, 14, size),
        "depth": 1 + torch.rand(size),
        "normals": torch.nn.functional.normalize(torch.randn(3, *size), dim=0),
        "edge_texture": torch.rand(size),
        "keypoints2d": torch.rand(size),
    }
    names: dict[str, object] = {"my_images": [(torch.rand(3, *size), labels)] * 2}
    exec(CODE[1], names)
    told = capsys.readouterr().out
    assert "MyNet" in told and "2 images of own-images" in told and "apgd-dgba" in told


def test_the_commands_make_a_row_that_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suites = folder / "suites"
    suites.mkdir()
    text = TINY_SUITE.replace('name = "tiny"', 'name = "rooms-board"').replace("eps = [2, 4]", "eps = [4]")
    short = re.sub(r"attacks = \[.*\]", 'attacks = ["standard"]', re.sub(r"options = .*", "", text))
    write_suite(suites, short).rename(suites / "rooms-board.toml")
    monkeypatch.setattr("mtlattack.evaluation.suites.SUITES", suites)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "somebody")
    names: dict[str, object] = {}
    exec(CODE[0], names)
    torch.save(names["MyNet"]().state_dict(), "weights.pth")  # type: ignore[operator]
    assert [command.split()[0] for command in COMMANDS] == ["run", "leaderboard", "leaderboard"]
    for command in COMMANDS:
        ran = CliRunner().invoke(app, shlex.split(command))
        assert (ran.exit_code, ran.exception) == (0, None), (command, ran.exception, ran.output)
    [stored] = Board(folder / "leaderboard").read_all()
    assert (stored.row.suite.name, stored.row.model.name, stored.row.model.licence) == ("rooms-board", "my-net", "MIT")

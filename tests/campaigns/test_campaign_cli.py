"""`mtlattack campaign`: the table, the exit code, and cells that are runs like any other."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from campaign_toys import assert_same, numbers, toy_campaign, write_campaign
from printing_toys import assert_fits
from rich.console import Console

from mtlattack.analysis.record import AttackResult, Interval, Record, RobustSkill, Skill
from mtlattack.campaigns.campaign import Ended
from mtlattack.campaigns.cells import expand
from mtlattack.campaigns.engine import Lost, Result
from mtlattack.campaigns.summary import render_summary
from mtlattack.campaigns.watching import Board
from mtlattack.cli import main
from mtlattack.files import write_json
from mtlattack.progress import Above


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["mtlattack", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_campaign_from_its_file(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign = toy_campaign(models=["toy_models:seeded", "toy_models:broken"], seeds=[0])
    write_campaign(here / "mine.toml", campaign)
    assert command(monkeypatch, "campaign", "mine.toml", "--workers", 1) == 1
    said = capsys.readouterr()
    good, broken = expand(campaign)
    assert said.err == (
        f"failed: {broken.name}: RuntimeError: out of patience for good\nthe same command tries them again\n"
    )
    lines = said.out.splitlines()
    assert lines[0].split() == "cell images clean skill robust skill threat attack s".split()
    assert lines[1].split() == [broken.name, "failed"]
    assert lines[2].startswith(good.name) and "linf 4/255 pgd-total" in lines[2]
    assert lines[3] == f"1 of 2 cells in campaigns/mine/; mtlattack show campaigns/mine/{good.name}"
    # The folder is the one that `run` makes, and is shown and gone on with as such.
    folder = Path("campaigns/mine") / good.name
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    assert command(monkeypatch, "run", "toy.toml", "--seed", 0, "--out", "run") == 0
    for one, other in zip(numbers(folder / "evidence.h5"), numbers(Path("run/evidence.h5")), strict=True):
        assert (one == other).all()
    record, expected = (json.loads((place / "record.json").read_text()) for place in (folder, Path("run")))
    assert record["clean"] == expected["clean"] and record["suite"] == expected["suite"]
    assert record["environment"]["command"].startswith("mtlattack campaign mine.toml")
    capsys.readouterr()
    assert command(monkeypatch, "run", "toy.toml", "--seed", 0, "--out", folder) == 0
    assert command(monkeypatch, "show", folder) == 0
    assert "suite toy v1 · toy_models:seeded" in capsys.readouterr().out
    assert_same([good], Path("campaigns/mine"), Path("campaigns/mine"))


def test_no_two_cells_have_one_name() -> None:
    cells = expand(toy_campaign(models=["x/a.safetensors", "y/a.safetensors", "z/a-2.safetensors"], seeds=[0]))
    names = [cell.name for cell in cells]
    assert len(set(names)) == 3 and names[:2] == ["toy-a", "toy-a-2"]


def test_the_summary_loses_no_digit_on_a_narrow_terminal(tmp_path: Path) -> None:
    cells = expand(toy_campaign(models=["a" * 50, "b"]))
    some = Interval(value=0.25, low=None, high=None)
    skill = Skill(tasks={}, mean=some, worst=some, worst_task=None)
    attack: dict[str, Any] = {"name": "apgd-single:segmentation", "norm": "linf", "eps": 4 / 255}
    changes = dict.fromkeys(("arp", "loss_change", "log_ratio", "worst"), some)
    result = AttackResult(
        **attack, config={}, forward_passes=1, backward_passes=1, metrics={}, relative={}, task_change={}, **changes,
        worst_task="", max_linf=0, max_l2=0, seconds=1234,
    )  # fmt: skip
    record = Record(
        suite=None, model={}, data={"images": 654}, tasks=[], seed=0, batch_size=1, bootstrap={}, environment={},
        clean={}, clean_losses={}, clean_skill=skill, attacks=[result],
        robust_skill=[RobustSkill(norm="linf", eps=4 / 255, quantized=True, attack=result.name, skill=skill)],
    )  # fmt: skip
    for cell in cells:
        write_json(tmp_path / cell.name / "record.json", record.model_dump())
    assert_fits(render_summary(Ended(tmp_path, cells, [])))


def test_what_is_shown_while_it_runs() -> None:
    cells = expand(toy_campaign(models=["a", "b"]))
    board = Board(5, {cell.name: 1.0 for cell in cells})
    for cell in cells[:3]:
        board.started(cell)
    board.lost(Lost(cells[0].name, "killed by SIGKILL"))
    board.ended(Result(cells[1].name, 1.0))
    board.ended(Result(cells[2].name, 1.0, "RuntimeError: no"))
    board.started(cells[3])
    assert board.counts() == "2 of 5 cells, 1 failed"
    console = Console(width=80)
    with console.capture() as capture:
        console.print(board.table())
    troubles = f"{cells[0].name} again: killed by SIGKILL {cells[2].name} failed: RuntimeError: no"
    assert capture.get().split() == f"{troubles} cell s {cells[3].name} 0".split()


def test_what_is_shown_while_it_runs_is_whole_and_leaves_room_for_the_bar() -> None:
    cells = expand(toy_campaign(models=[letter * 90 for letter in "abc"]))
    board = Board(len(cells), {cell.name: 1.0 for cell in cells})
    for cell in cells:
        board.started(cell)
    board.ended(Result(cells[0].name, 1.0, "RuntimeError: " + "no " * 40 + "end"))
    assert_fits(board.table())
    console = Console(width=80, height=8)
    with console.capture() as capture:
        console.print(Above(board.table()))
    lines = capture.get().splitlines()
    assert len(lines) == 6 and lines[-1] == "…" and lines[0].startswith(cells[0].name[:70])

"""Campaigns on this machine: whatever is killed, every cell ends with the numbers of an undisturbed run."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from campaign_toys import assert_same, done_marks, numbers, run_undisturbed, start, toy_campaign, write_campaign
from clock_toys import send_ahead, turn_back

from mtlattack.campaigns import run_campaign
from mtlattack.campaigns.cells import expand
from mtlattack.campaigns.engine import Circumstances, Result
from mtlattack.campaigns.folder import is_done
from mtlattack.campaigns.watching import Board
from mtlattack.campaigns.worker import Worker
from mtlattack.cli import main
from mtlattack.locking import held


def test_workers_are_killed_and_every_cell_ends_as_if_not(here: Path) -> None:
    campaign = toy_campaign(models=["toy_models:toy", "toy_models:dying"])
    cells = run_undisturbed(campaign, here / "whole")
    for order in range(3):
        (here / f"die-{order}").touch()
    ended = run_campaign(campaign, here / "out", workers=2)
    assert not list(here.glob("die-*")) and not ended.failed
    assert sorted(result.name for result in ended.results) == sorted(cell.name for cell in cells)
    assert_same(cells, here / "out", here / "whole")
    assert sorted(os.listdir(here / "out" / cells[0].name)) == ["evidence.h5", "record.json"]
    assert run_campaign(campaign, here / "out", workers=2).results == []


def test_what_fails_says_why_and_the_rest_goes_on(here: Path) -> None:
    campaign = toy_campaign(models=["toy_models:broken", "toy_models:doomed", "toy_models:toy"], seeds=[0], retries=1)
    ended = run_campaign(campaign, here / "out", workers=1)
    broken, doomed, toy = (cell.name for cell in ended.cells)
    assert {result.name: result.error for result in ended.results} == {
        broken: "RuntimeError: out of patience for good",
        doomed: "its worker was lost 2 times, last: killed by SIGKILL (was there enough memory?)",
        toy: None,
    }
    text = (here / "out" / broken / "messages.txt").read_text()
    assert "Traceback" in text and "toy_models.py" in text and "out of patience\nfor good" in text
    # Mended, it goes on, and does not say any longer what went wrong.
    models = (here / "toy_models.py").read_text()
    (here / "toy_models.py").write_text(models.replace("raise RuntimeError", "return; raise RuntimeError"))
    again = run_campaign(campaign, here / "out", workers=1)
    assert [result.name for result in again.failed] == [doomed]
    assert sorted(os.listdir(here / "out" / broken)) == ["evidence.h5", "record.json"]


def test_the_campaign_is_interrupted_and_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign = toy_campaign()
    cells = run_undisturbed(campaign, here / "whole")
    ended = Board.ended

    def interrupt(board: Board, result: Result) -> None:
        ended(board, result)
        if len(list((here / "out").glob("*/record.json"))) >= 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(SystemExit) as stopped:
        patch.setattr(Board, "ended", interrupt)
        patch.setattr(sys, "argv", ["mtlattack", "campaign", str(write_campaign(here / "c.toml", campaign))])
        sys.argv += ["--workers", "2", "--out", "out"]
        main()
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "stopped; what is finished is kept, the same command goes on from here\n"
    assert 1 <= len(run_campaign(campaign, here / "out", workers=2).results) <= 2
    assert_same(cells, here / "out", here / "whole")


@pytest.mark.slow
def test_the_campaign_is_killed_and_goes_on(here: Path) -> None:
    campaign = toy_campaign(models=["toy_models:slow"], seeds=[0, 1, 2, 3])
    cells = run_undisturbed(campaign, here / "whole")
    process = start("campaign", write_campaign(here / "c.toml", campaign), "--workers", 2, "--out", "out")
    while process.is_alive() and done_marks(here / "out") < 6:
        time.sleep(0.005)
    process.kill()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert not all(is_done(here / "out" / cell.name) for cell in cells)
    ended = run_campaign(campaign, here / "out", workers=2)
    assert not ended.failed and 1 <= len(ended.results) <= 4
    assert_same(cells, here / "out", here / "whole")


def test_a_full_disk_harms_nothing(here: Path) -> None:
    campaign = toy_campaign(models=["toy_models:toy", "toy_models:crowded"])
    cells = run_undisturbed(campaign, here / "whole")
    (here / "full").touch()
    ended = run_campaign(campaign, here / "out", workers=1)
    assert [result.name for result in ended.failed] == [cell.name for cell in cells[2:]]
    assert all("File too large" in (result.error or "") for result in ended.failed)
    kept = {cell.name: numbers(here / "out" / cell.name / "evidence.h5") for cell in cells[:2]}
    assert len(kept) == 2 and not list((here / "out").glob("*/.*"))
    (here / "full").unlink()
    ended = run_campaign(campaign, here / "out", workers=1)
    assert [result.name for result in ended.results] == [cell.name for cell in cells[2:]] and not ended.failed
    assert_same(cells, here / "out", here / "whole")


def test_a_campaign_goes_on_under_an_earlier_clock(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that are done stay done, and none took less than no time."""
    campaign = toy_campaign(models=["toy_models:seeded"])
    one, other = run_undisturbed(campaign, here / "whole")
    turn_back(monkeypatch)
    worker = Worker(Circumstances(str(here / "out"), str(here), campaign.threads, list(sys.argv)))
    results = [worker.run(one)]
    send_ahead(here / "out")
    assert is_done(here / "out" / one.name) and not is_done(here / "out" / other.name)
    results.append(worker.run(other))
    assert all(result.error is None and 0 < result.seconds < 3600 for result in results)
    assert_same([one, other], here / "out", here / "whole")


def test_a_cell_waits_for_a_worker_that_is_ending(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = toy_campaign(models=["toy_models:slow"], seeds=[0])
    (cell,) = expand(campaign)
    process = start("run", "toy.toml", "--model", "toy_models:slow", "--out", f"out/{cell.name}")
    while process.is_alive() and not done_marks(here / "out"):
        time.sleep(0.005)
    monkeypatch.setattr("mtlattack.campaigns.guarding._PATIENCE", 60)
    run_undisturbed(campaign, here / "out")
    process.join(30)
    assert process.exitcode == 0
    with held(here / "out" / cell.name):
        assert is_done(here / "out" / cell.name)

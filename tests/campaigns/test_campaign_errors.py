"""What a user can get wrong about a campaign: one line, exit code 2, nothing run and everything kept."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from campaign_toys import run_undisturbed, toy_campaign, write_campaign

from mtlattack.campaigns import load_campaign, run_campaign
from mtlattack.campaigns.campaign import Ended
from mtlattack.campaigns.cells import expand
from mtlattack.campaigns.folder import is_done
from mtlattack.campaigns.on_ray import _check_answers
from mtlattack.campaigns.summary import render_summary
from mtlattack.cli import main
from mtlattack.errors import InputError

HOLD = "import sys; from pathlib import Path; from mtlattack.locking import held\nwith held(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"  # noqa: E501


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["mtlattack", "campaign", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.toml"], "no campaign file none.toml"),
        (["c.toml", "--on", "rya"], "unknown engine 'rya'; did you mean 'ray'?"),
        (["c.toml", "--workers", "0"], "0 workers, expected at least 1"),
        (["c.toml", "--gpus-per-cell", "2"], "2 GPUs a cell, expected 0 to 1: a run is on one GPU"),
        (["c.toml", "--address", "here:1"], "address 'here:1' goes with --on ray"),
        (["c.toml", "--on", "ray", "--address", "here"], "address 'here', expected HOST:PORT as `ray start --head`"),
    ],
)
def test_mistake_in_one_line(
    arguments: list[str], message: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_campaign(here / "c.toml", toy_campaign())
    assert command(monkeypatch, *arguments, "--out", "out") == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"error: {message}") and said.err.count("\n") == 1 and not said.out
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("suites = []", "c.toml: suites: List should have at least 1 item"),
        ('suites = ["toy.toml"]\nseeds = [-1]', "c.toml: seed -1, expected a whole number of at least 0"),
        ('suites = ["toy.toml"]\nmodel = "x"', "c.toml: model: Extra inputs are not permitted (got 'x')"),
        ('suites = ["toy.toml"]\nthreads = 0', "c.toml: threads: Input should be greater than or equal to 1 (got 0)"),
        ("suites = [", "c.toml: "),
        ('suites = ["quick", "quick"]', "suites holds 'quick' twice"),
        ('suites = ["toy.toml", "x/../toy.toml"]', "suites holds 'toy.toml' twice, the second time as 'x/../toy.toml'"),
        ('suites = ["quick"]\nseeds = [0, 1, 0]', "seeds holds 0 twice"),
        ('suites = ["quick"]\nmodels = ["rooms-*", "rooms-*"]', "models holds 'rooms-*' twice"),
        ('suites = ["quick"]\nmodels = ["a.safetensors", "./a.safetensors"]', "models holds 'a.safetensors' twice"),
        (
            'suites = ["quick"]\nmodels = [{model = "a:b", checkpoint = "c"}, {model = "a:b", checkpoint = "./c"}]',
            "models holds a:b with c twice, the second time as a:b with ./c",
        ),
        ('suites = ["quick"]\ndata = ["rooms", "rooms"]', "data holds 'rooms' twice"),
        ('suites = ["quick"]\nattacks = ["standard", ["standard"]]', "attacks holds 'standard' twice, the second time"),
        ('suites = ["quick"]\neps = [4, 4.0]', "eps holds 4.0 twice"),
        ('suites = ["quick"]\neps = [[4, 8], [4, 8]]', "eps holds [4.0, 8.0] twice"),
    ],
)
def test_a_file_that_is_wrong(text: str, message: str, here: Path) -> None:
    (here / "c.toml").write_text(text)
    with pytest.raises(InputError) as error:
        load_campaign(here / "c.toml")
    assert message in str(error.value)


def test_all_that_is_missing_is_listed_and_nothing_runs(here: Path) -> None:
    campaign = toy_campaign(
        suites=["toy.toml", "quik"], models=["toy_models:toy", "toy_models:toi", "none.safetensors"],
        attacks=["pgd-totla", "fgsm-total"],
    )  # fmt: skip
    with pytest.raises(InputError) as error:
        run_campaign(campaign, here / "out")
    for name in ("'quik'; did you mean 'quick'", "'toi'", "none.safetensors", "'pgd-totla'; did you mean 'pgd-total'"):
        assert str(error.value).count(name) == 1
    assert not (here / "out").exists()
    with pytest.raises(InputError, match=r"unknown model 'rooms-zzz\*'"):
        expand(toy_campaign(models=["rooms-zzz*"]))


def test_without_ray(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"Ray is not installed: pip install mtlattack\[ray\]"):
        run_campaign(toy_campaign(), here / "out", on="ray")
    assert not (here / "out").exists()


def test_an_address_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr("mtlattack.campaigns.on_ray._ANSWER", 0.5)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(InputError, match=f"no Ray cluster answers at '{address}' .*refused"):
            _check_answers(address)
        nobody.listen()
        began = time.monotonic()
        with pytest.raises(InputError, match=f"no Ray cluster answers at '{address}': what is there is none"):
            _check_answers(address)
        assert time.monotonic() - began < 30


def test_another_campaign_in_the_folder(here: Path) -> None:
    campaign = toy_campaign(models=["toy_models:toy"], seeds=[0])
    (cell,) = run_undisturbed(campaign, here / "out")
    assert run_campaign(campaign, here / "out").results == []
    plan = here / "out" / "campaign.json"
    assert [known["name"] for known in json.loads(plan.read_text())["cells"]] == [cell.name]
    before = {path: path.read_bytes() for path in (here / "out").rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"campaign.json is of another campaign \(other cells\); choose another --out"):
        run_campaign(toy_campaign(), here / "out")
    suite = (here / "toy.toml").read_text()
    (here / "toy.toml").write_text(suite.replace("steps = 3", "steps = 4"))
    with pytest.raises(InputError, match=r"\(other suites\)"):
        run_campaign(campaign, here / "out")
    assert {path: path.read_bytes() for path in (here / "out").rglob("*") if path.is_file()} == before
    record = here / "out" / cell.name / "record.json"
    kept = record.read_bytes()
    record.write_text("[" * 100_000)
    with pytest.raises(InputError, match="record.json is damaged or no record"):
        render_summary(Ended(here / "out", [cell], []))
    assert not is_done(record.parent)
    record.write_bytes(kept)
    assert is_done(record.parent)
    plan.write_text("[" * 100_000)
    with pytest.raises(InputError, match="campaign.json is damaged"):
        run_campaign(campaign, here / "out")


def test_two_campaigns_in_a_folder(here: Path) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD, "out"], **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match=rf"out is in use by process {other.pid} on .*; wait for it"):
            run_campaign(toy_campaign(), Path("out"))
        other.kill()


def test_names_of_cells(here: Path) -> None:
    def names(**changes: object) -> list[str]:
        return [cell.name for cell in expand(toy_campaign(**changes))]

    assert names() == [f"toy-toy_models_{m}-seed{s}" for m in ("toy", "seeded") for s in (0, 1)]
    assert names(models=[], seeds=[]) == ["toy-toy_models_seeded"]
    assert names(models=["rooms-resnet10t.sep*"], suites=["quick"], seeds=[], eps=[4, [1, 0.5]]) == [
        f"quick-rooms-resnet10t.{m}-eps{e}" for m in ("separate", "separate.at-dgba") for e in ("4", "1_0.5")
    ]
    weights = {"model": "a:b", "checkpoint": "w/c.pth"}
    assert names(models=[weights], seeds=[], attacks=["standard", ["a*", "b"], []]) == [
        f"toy-a_b_c-{a}" for a in ("standard", "a_b", "clean")
    ]
    assert names(models=["a:b", "a_b"], seeds=[]) == ["toy-a_b", "toy-a_b-2"]
    assert names(models=["a"], suites=["one/toy.toml", "two/toy.toml"], seeds=[]) == ["toy-a", "toy-a-2"]
    separate = "rooms-resnet10t.separate"
    assert names(models=[separate, f"{separate}*"], seeds=[]) == [f"toy-{separate}{at}" for at in ("", ".at-dgba")]
    assert names(models=[], data=["toy.h5", "x/rooms.h5"], seeds=[]) == [
        "toy-toy_models_seeded-toy", "toy-toy_models_seeded-rooms",
    ]  # fmt: skip


def test_an_axis_that_is_left_out_is_as_the_suite_says(here: Path) -> None:
    (cell,) = expand(toy_campaign(models=[], seeds=[], limit=2, attacks=["fgsm-total"], eps=[[2, 8]]))
    assert cell.changes == {"attacks": ["fgsm-total"], "eps": [2, 8], "limit": 2}
    assert expand(toy_campaign(models=[], seeds=[]))[0].changes == {}

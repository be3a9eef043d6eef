"""`mtlattack run`: the table, the record, the evidence; killed at any moment it ends with the same numbers."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from cli_toys import CommandLine, files, plain, run_quietly, start

from mtlattack.analysis import Record, read_run
from mtlattack.analysis.tables import render
from mtlattack.attacks import Standard
from mtlattack.evaluation import load_suite
from mtlattack.evaluation.choosing import override
from mtlattack.evidence import Evidence, read_evidence
from mtlattack.printing import width_of


@pytest.fixture
def basics(rooms: Path, checkpoint: Path) -> list[object]:
    return ["run", "--model", checkpoint, "--data", rooms, "--device", "cpu"]


def record_of(folder: Path) -> Record:
    return Record.model_validate_json((folder / "record.json").read_text())


def test_run_prints_and_keeps(cli: CommandLine, basics: list[object]) -> None:
    out = cli.good(*basics, "--attacks", "fgsm-single:*,pgd-total", "--eps", "2,8", "--limit", 2, "--seed", 3)
    folder = Path("runs/quick-tiny")
    assert sorted(files(folder)) == ["evidence.h5", "record.json"]
    record = record_of(folder)
    names = [f"fgsm-single:{task}" for task in sorted(record.clean)]
    assert [(r.name, round(r.eps * 255)) for r in record.attacks] == [
        (n, e) for e in (2, 8) for n in [*names, "pgd-total"]
    ]
    assert (record.seed, record.data["images"], record.model["name"]) == (3, 2, "tiny")
    suite, _ = override(load_suite("quick"), record.suite["overrides"])
    assert record.suite == {
        "name": "quick",
        "version": 4,
        "sha256": suite.sha256,
        "overrides": {"attacks": ["fgsm-single:*", "pgd-total"], "eps": [2.0, 8.0], "limit": 2, "seed": 3},
    }
    assert record.attacks[-1].config["steps"] == load_suite("quick").options.get("pgd", {}).get("steps", 20)
    assert record == read_run(folder / "evidence.h5").report().record
    lines = out.splitlines()
    assert lines[0].startswith("suite quick v4 · tiny (") and max(map(len, lines)) <= 130
    assert lines[-1] == "runs/quick-tiny/record.json, runs/quick-tiny/evidence.h5"
    assert f"{record.clean['segmentation']['miou']:.3g}" in next(line for line in lines if line.startswith("clean"))


def test_same_command_computes_nothing_again(cli: CommandLine, basics: list[object]) -> None:
    command = [*basics, "--attacks", "fgsm-total", "--limit", 2, "--out", "here"]
    first = cli.good(*command)
    kept = files(Path("here"))
    assert cli.good(*command) == first and files(Path("here")) == kept
    again = cli(*command, "--fresh")
    assert (again.code, again.err) == (0, "what was in here is kept in here/before-1\n")
    assert files(Path("here/before-1")) == kept
    assert cli.good("show", "here/before-1") == "".join(first.splitlines(keepends=True)[:-1])
    assert files(Path("here"))["evidence.h5"] != kept["evidence.h5"]  # other seconds, other start


def test_standard_and_a_member_by_itself(
    cli: CommandLine, basics: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [replace(member, options={**member.options, "steps": 2}) for member in Standard.composition]
    monkeypatch.setattr(Standard, "composition", tuple(few))
    command = [*basics, "--attacks", "standard,fgsm-total", "--limit", 2, "--out", "here"]
    out = cli.good(*command)
    record = record_of(Path("here"))
    singles = [f"apgd-single:{task}" for task in record.clean]
    dlr = ["apgd-skill+dlr", *singles, "apgd-single:segmentation+dlr"]
    members = ["apgd-relative", *dlr, "square-relative"]
    assert [result.name for result in record.attacks] == ["fgsm-total", *members, "standard"]
    assert record.attacks[-1].config["members"] == members
    assert (
        max(map(len, out.splitlines())) <= width_of(render(record))
        and "standard (linf 4/255) took for the image" in out
    )
    assert cli.good(*command) == out
    assert cli.good("show", "here") == "".join(out.splitlines(keepends=True)[:-1])


def test_attacks_none_is_a_clean_run(cli: CommandLine, basics: list[object]) -> None:
    out = cli.good(*basics, "--attacks", "none", "--out", "clean")
    assert record_of(Path("clean")).attacks == []
    assert "clean: the tasks" in out and "★" not in out


def test_module_factory_with_weights(
    cli: CommandLine, basics: list[object], checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        f"from mtlattack.models import load_checkpoint\ndef make():\n    return load_checkpoint({str(checkpoint)!r})\n"
    )
    Path("my_factory.py").write_text(source)
    for extra in ([], ["--checkpoint", checkpoint]):
        cli.good(
            "run", "--model", "my_factory:make", *extra, *basics[3:], "--attacks", "none", "--out", f"{len(extra)}"
        )
        assert record_of(Path(f"{len(extra)}")).model["name"].startswith("my_factory:make")
    cli.good(*basics, "--attacks", "none", "--out", "direct")
    assert record_of(Path("0")).clean == record_of(Path("2")).clean == record_of(Path("direct")).clean


# --- killed


def done_marks(path: Path) -> int:
    """How many images are done, read beside the process that writes."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            jobs = [file["clean"], *file["attacks"].values()]
            return sum(int(job["done"][:].sum()) for job in jobs)
    except (OSError, KeyError):
        return 0


def being_created(folder: Path) -> bool:
    return any(folder.glob(".evidence*")) or (folder / "evidence.h5").exists()


def created(folder: Path) -> bool:
    return (folder / "evidence.h5").exists()


def more_done(count: int) -> Callable[[Path], bool]:
    return lambda folder: done_marks(folder / "evidence.h5") >= count


def kill_when(moment: Callable[[Path], bool], folder: Path, command: list[object], delay: float = 0) -> int:
    """Start the command, kill it at a moment, and return its exit code."""
    process = start(*command)
    while process.is_alive() and not moment(folder):
        time.sleep(0.002)  # not all the time: the run needs the core
    time.sleep(delay)
    process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def numbers(evidence: Evidence) -> list[np.ndarray[Any, Any]]:
    outcomes = [evidence.clean, *evidence.attacked]
    return [x for o in outcomes for x in (o.losses, o.perturbation, *o.statistics.values())]


def test_killed_at_any_moment_it_ends_with_the_same_numbers(basics: list[object], tmp_path: Path) -> None:
    command = [*basics, "--attacks", "fgsm-total,pgd-dgba", "--batch-size", 1, "--limit", 6]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_quietly(*command, "--out", whole)
    moments = [(being_created, 0.0), (created, 0.0), *((more_done(n), d) for n, d in ((1, 0), (8, 0.04)))]
    seen, killed = 0, 0
    for moment, delay in moments:
        killed += kill_when(moment, broken, [*command, "--out", broken], delay) == -signal.SIGKILL
        now = done_marks(broken / "evidence.h5")
        assert now >= seen, "what was done is lost"
        assert not (broken / "record.json").exists() or now == 18
        seen = now
    assert killed >= 3, "the run is too short to be killed"
    assert seen >= 8
    run_quietly(*command, "--out", broken)
    assert sorted(os.listdir(broken)) == ["evidence.h5", "record.json"]
    one, other = (read_evidence(folder / "evidence.h5") for folder in (whole, broken))
    assert one.ids == other.ids and len(one.ids) == 6
    for a, b in zip(numbers(one), numbers(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert plain(whole) == plain(broken)


def test_the_second_of_two_at_once_is_told_who_has_the_folder(
    cli: CommandLine, basics: list[object], tmp_path: Path
) -> None:
    """The first is stopped in the middle, so that it has the folder for certain while the second asks for it."""
    mine, folder = [*basics, "--attacks", "fgsm-total", "--batch-size", 1, "--limit", 2], tmp_path / "shared"
    run_quietly(*mine, "--out", tmp_path / "alone")
    first = start(*mine, "--out", folder)
    assert first.pid is not None
    while first.is_alive() and not created(folder):
        time.sleep(0.002)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        for fresh in ([], ["--fresh"]):
            told = cli.bad(*mine, "--eps", 8, "--out", folder, *fresh)
            assert told.startswith(f"{folder} is in use by process {first.pid} on ")
            assert told.endswith("; wait for it, or choose another folder") and "(mtlattack run --model " in told
    finally:
        os.kill(first.pid, signal.SIGCONT)
        first.join()
    assert first.exitcode == 0
    assert plain(folder) == plain(tmp_path / "alone")
    assert cli.bad(*mine, "--eps", 8, "--out", folder).startswith(f"{folder}/evidence.h5 holds another run")


def test_interrupt_says_how_to_go_on(cli: CommandLine, basics: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mtlattack.evaluation.evaluate", interrupt)
    ran = cli(*basics)
    assert ran.code == 130 and ran.err == "stopped; what is finished is kept, the same command goes on from here\n"

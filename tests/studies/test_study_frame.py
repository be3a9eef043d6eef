"""The frame: cells are kept and found again, rules stand before numbers, what fails says so."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mtlattack.cli import main
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.studies import Cell, Claim, Measured, Study, Table, Verdict, find_study, list_studies, run_study
from mtlattack.studies import catalogue as catalogue_module
from mtlattack.studies.working import Alone, StudyWorker


class Grows(Claim):
    name = "A"
    sentence = "Squares grow."
    rule = "Holds if they do."

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        values = [cell.numbers["square"] for cell in measured]
        return Verdict("holds" if values == sorted(values) else "fails", f"{values}", {"values": values})


class Toy(Study):
    name = "toy"
    paper = "Nobody (2026)"
    summary = "squares grow"
    cost = "nothing"
    claims = (Grows(),)
    done: ClassVar[list[int]] = []
    fail_at: ClassVar[int] = -1

    def cells(self, quick: bool) -> list[Cell]:
        return [Cell("toy", f"number-{n}", {"number": n}, work=n) for n in range(1, 3 if quick else 5)]

    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        if settings["number"] == self.fail_at:
            raise RuntimeError("out of patience")
        self.done.append(settings["number"])
        return {"square": settings["number"] ** 2}

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        rows = [[str(cell.settings["number"]), str(cell.numbers["square"])] for cell in measured]
        return [Table("squares | numbers", ["number", "square"], rows)]


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue_module.STUDIES, "toy", f"{__name__}:Toy")
    monkeypatch.setattr(Toy, "done", [])
    monkeypatch.setattr(Toy, "fail_at", -1)


def test_cells_are_measured_once_the_longest_first(tmp_path: Path) -> None:
    quick = run_study(Toy(), tmp_path, quick=True)
    assert quick.verdicts["A"].outcome == "holds" and Toy.done == [2, 1]
    run_study(Toy(), tmp_path)
    assert Toy.done == [2, 1, 4, 3]
    again = run_study(Toy(), tmp_path)
    assert Toy.done == [2, 1, 4, 3] and again.verdicts["A"].numbers == {"values": [1, 4, 9, 16]}
    record = json.loads((tmp_path / "study.json").read_text())
    assert record["claims"][0]["verdict"] == "holds" and record["claims"][0]["rule"] == Grows.rule
    assert record["cells"]["number-3"] == {"settings": {"number": 3}, "numbers": {"square": 9}}
    text = (tmp_path / "study.md").read_text()
    assert "| A: Squares grow. | **holds** |" in text and "| 3 | 9 |" in text


def test_a_cell_with_other_settings_or_a_damaged_file_is_measured_again(tmp_path: Path) -> None:
    run_study(Toy(), tmp_path, quick=True)
    first, second = (tmp_path / "cells" / f"number-{n}" / "result.json" for n in (1, 2))
    first.write_text(first.read_text().replace('"number": 1', '"number": 7'))
    second.write_text(second.read_text()[:20])
    run_study(Toy(), tmp_path, quick=True)
    assert Toy.done == [2, 1, 2, 1]
    second.write_text(second.read_text().replace('"square": 4', '"square": 5'))
    assert run_study(Toy(), tmp_path, quick=True).verdicts["A"].numbers == {"values": [1, 4]}
    assert Toy.done == [2, 1, 2, 1, 2]


def test_what_fails_is_named_and_the_rest_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Toy, "fail_at", 3)
    with pytest.raises(InputError, match="cell number-3 failed: RuntimeError: out of patience; the same command"):
        run_study(Toy(), tmp_path)
    assert Toy.done == [4, 2, 1] and not (tmp_path / "study.json").exists()
    assert "Traceback" in (tmp_path / "cells" / "number-3" / "messages.txt").read_text()
    monkeypatch.setattr(Toy, "fail_at", -1)
    assert run_study(Toy(), tmp_path).verdicts["A"].outcome == "holds" and Toy.done == [4, 2, 1, 3]


def test_a_rule_may_not_change_after_the_first_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_study(Toy(), tmp_path, quick=True)
    monkeypatch.setattr(Grows, "rule", "Holds anyway.")
    with pytest.raises(InputError, match=r"plan.json is of another study \(other rules\); choose another --out"):
        run_study(Toy(), tmp_path, quick=True)


def test_names_and_numbers_that_do_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="unknown study 'representaton'; did you mean 'representation'"):
        find_study("representaton")
    with pytest.raises(InputError, match="0 workers, expected at least 1"):
        run_study(Toy(), tmp_path, workers=0)
    monkeypatch.setattr(Toy, "cells", lambda self, quick: [Cell("toy", "same", {})] * 2)
    with pytest.raises(ValueError, match="two cells of study toy are called 'same'"):
        run_study(Toy(), tmp_path)


def test_on_ray_a_study_takes_workers_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    class NoCluster(Alone):
        def __init__(self, workers, circumstances, gpus_per_cell, address, cells, kind) -> None:  # type: ignore[no-untyped-def]
            asked.append((workers, gpus_per_cell, address, cells, kind))
            super().__init__(circumstances)

    monkeypatch.setattr("mtlattack.campaigns.on_ray.OnRay", NoCluster)
    finished = run_study(Toy(), tmp_path, on="ray", address="auto")
    assert asked == [(None, 0, "auto", 4, StudyWorker)] and finished.verdicts["A"].outcome == "holds"
    with pytest.raises(InputError, match="address 'auto' goes with --on ray"):
        run_study(Toy(), tmp_path, address="auto")
    with pytest.raises(UnknownNameError, match="unknown engine 'rays'; did you mean 'ray'"):
        run_study(Toy(), tmp_path, on="rays")


@pytest.mark.slow
def test_a_study_on_a_cluster_that_is_started_here(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    study = find_study("joint-attack")
    there = run_study(study, tmp_path / "ray", quick=True, on="ray", workers=1)
    here = run_study(study, tmp_path / "here", quick=True)
    assert there.record["cells"] == here.record["cells"]


def test_the_command_lists_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> int | str | None:
        monkeypatch.setattr("sys.argv", ["mtlattack", "study", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code

    monkeypatch.chdir(tmp_path)
    assert not run()
    listed = capsys.readouterr().out
    assert (
        all(f"{name}: {find_study(name).summary}" in listed for name in list_studies()) and "A: Squares grow." in listed
    )
    assert not run("toy", "--quick")
    assert "A holds: Squares grow." in capsys.readouterr().out and (tmp_path / "studies/toy-quick/study.json").is_file()
    assert run("toy", "representation", "--out", "here") == 2
    assert "--out here is one folder for 2 studies" in capsys.readouterr().err

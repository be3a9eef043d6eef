"""What an experiment has kept is believed where it is what was kept, and made again elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from poisoning_toys import toy_tasks

from mtlattack.errors import InputError
from mtlattack.poisoning.experiment import Plan, digest_of, run_experiment

TASKS = toy_tasks()
CHOSEN = {"data": "toy", "digest": digest_of(TASKS), "seeds": [0], "iterations": 1, "modes": ["direct"]}


@pytest.fixture
def go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """Runs it, or goes on with it, and draws nothing."""
    for name in ("plot_budgets", "plot_correlations"):
        monkeypatch.setattr(f"mtlattack.poisoning.experiment.run.{name}", lambda *given: None)
    plan = Plan.model_validate(CHOSEN | {"methods": ["random"]})

    def rows() -> list[dict[str, Any]]:
        return [{key: row[key] for key in ("error", "damage")} for row in run_experiment(plan, TASKS, tmp_path)]

    return rows


def test_a_cell_that_has_changed_is_run_again(go_on: Callable[[], list[dict[str, Any]]], tmp_path: Path) -> None:
    rows, cells = go_on(), sorted((tmp_path / "cells").glob("*"))
    kept = {path: path.read_bytes() for path in cells}
    assert [path.suffix for path in cells] == [".json", ".npz"] * 2
    for path in cells:
        for content in (kept[path][:-9], kept[path].replace(b"0", b"1", 1), b""):
            path.write_bytes(content)
            assert go_on() == rows
            assert path.suffix == ".json" or path.read_bytes() == kept[path]


@pytest.mark.parametrize("wrong", ["[" * 100_000, "[]", ""])
def test_a_plan_that_is_none_is_refused(wrong: str, go_on: Callable[[], list[dict[str, Any]]], tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(wrong)
    with pytest.raises(InputError, match="; start anew with --fresh"):
        go_on()
    assert (tmp_path / "plan.json").read_text() == wrong

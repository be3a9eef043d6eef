"""Constant answers that skill is measured against: the best ones, the same for all rows, and nothing to be bought."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checking_toys import changed, flags, forge, other_model, plant, refusals
from leaderboard_toys import row_of, store

from mtlattack.data import load_dataset
from mtlattack.evaluation.constants import best_constants, constant_statistics
from mtlattack.evidence import Evidence
from mtlattack.evidence.packing.compact import pack
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.checking.constants import check_constants
from mtlattack.leaderboard.checking.structure import Case
from mtlattack.leaderboard.rows.deriving import record_of
from mtlattack.leaderboard.rows.plan import Plan
from mtlattack.tasks import Segmentation


def found_in(stored: StoredRow, evidence: Evidence) -> list[str]:
    case = Case("row.json", stored, evidence, Plan.model_validate(evidence.plan))
    return [f"{f.severity} {f.field}: {f.message}" for f in check_constants(case)]


def answered(evidence: Evidence, **answers: list[float]) -> Evidence:
    """As if these were the best answers, with the statistics that they have."""
    data = load_dataset("rooms", limit=len(evidence.ids))
    targets = {name: next(data.label_batches(name)) for name in evidence.tasks}
    constants = evidence.plan["constants"] | answers
    statistics = constant_statistics(evidence.tasks, constants, targets)
    found = {name: values.astype(np.float64) for name, values in statistics.items()}
    return replace(evidence, plan=evidence.plan | {"constants": constants}, constant=found)


def rarest(evidence: Evidence) -> list[float]:
    """The answer of a class that occurs, and seldom."""
    task = evidence.tasks["segmentation"]
    assert isinstance(task, Segmentation)
    hits, _, missed = np.split(evidence.clean.statistics["segmentation"][:, 1:].sum(0), 3)
    counts = hits + missed
    rare = int(np.where(counts > 0, counts, np.inf).argmin())
    return [float(c == rare) for c in range(task.classes)]


def set_to(task: str, where: Any, value: Any) -> Callable[[Evidence], None]:
    def change(evidence: Evidence) -> None:
        assert evidence.constant is not None
        array = evidence.constant[task]
        array[where] = value(array[where]) if callable(value) else value

    return change


def planned(**constants: Any) -> Callable[[Evidence], None]:
    return lambda evidence: evidence.plan["constants"].update(constants)


def test_what_a_run_left_is_the_best_there_is(stored: StoredRow, tiny_evidence: Evidence) -> None:
    data = load_dataset("rooms", limit=len(tiny_evidence.ids), tasks=tiny_evidence.tasks)
    assert tiny_evidence.plan["constants"] == best_constants(data)
    assert found_in(stored, tiny_evidence) == []
    again = answered(tiny_evidence)
    for name, values in (tiny_evidence.constant or {}).items():
        assert np.allclose((again.constant or {})[name], values, rtol=1e-6)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "change, message",
    [
        (set_to("segmentation", (0, 0), lambda x: x - 1), "constants.segmentation: the evidence: what depends on the"),
        (set_to("depth", (0, 0), lambda x: x - 1), "constants.depth: the evidence: what depends on the labels alone"),
        (set_to("segmentation", (0, 1), lambda x: x + 1), "they are not those of one class at every pixel"),
        (set_to("segmentation", (0, slice(1, 15)), lambda x: x[::-1]), "they are not those of one class at every"),
        (set_to("depth", (0, 2), 0.0), "rel_sum is less than what the pixels that are no inliers add"),
        (set_to("depth", (0, 3), 0.0), "square_sum is less than abs_sum²/pixels"),
        (set_to("depth", (0, 1), -1.0), "a sum of errors is negative"),
        (set_to("edge_texture", (1, 1), -1.0), "constants.edge_texture: the evidence: a sum of errors is negative"),
        (set_to("normals", (0, 1), lambda x: x * 1.5), "angle_sum is not what the histogram allows"),
        (set_to("normals", (0, 100), lambda x: x + 1), "the bins of the histogram are not the valid pixels"),
        (planned(segmentation=[0.0] * 13), "constants.segmentation: 13 values, expected one for each of 14 channels"),
        (planned(segmentation=[0.0] * 13 + [1.0]), "they are not those of one class at every pixel"),
        (lambda e: e.plan["constants"].pop("depth"), "constants.depth: none, expected one for each of 1 channel"),
        (planned(nothing=[1.0]), "constants.nothing: there is no such task"),
        (lambda e: e.plan.pop("constants"), "the evidence: statistics of constant answers, and the other is missing"),
    ],
)  # fmt: skip
def test_what_no_constant_answer_can_be_is_named(
    stored: StoredRow, tiny_evidence: Evidence, change: Callable[[Evidence], None], message: str
) -> None:
    found = found_in(stored, changed(tiny_evidence, change))
    assert any(message in text for text in found), found


def test_statistics_without_answers_and_answers_without_statistics(
    board: Board, stored: StoredRow, tiny_evidence: Evidence
) -> None:
    plant(board, stored, pack(replace(tiny_evidence, constant=None)))
    assert any("constants: the evidence: constant answers in the plan" in text for text in refusals(board.root))


def test_evidence_that_knows_no_skill_says_nothing_wrong(stored: StoredRow, tiny_evidence: Evidence) -> None:
    plan = {key: value for key, value in tiny_evidence.plan.items() if key != "constants"}
    assert found_in(stored, replace(tiny_evidence, plan=plan, constant=None)) == []


@pytest.mark.parametrize(("task", "says"), [("depth", "at most 1"), ("normals", "at most 90")])
def test_an_answer_that_is_worse_than_some_constant_is_refused(
    board: Board, stored: StoredRow, tiny_evidence: Evidence, task: str, says: str
) -> None:
    best = tiny_evidence.plan["constants"][task]
    forged = answered(tiny_evidence, **{task: [-x for x in best] if task == "normals" else [1e6]})
    assert skill_of(forged, task) > skill_of(tiny_evidence, task)  # Which is what it is for.
    forge(board, stored, forged)
    [text] = refusals(board.root)
    assert f"constants.{task}: the evidence: not the best constant answer: " in text and says in text


def skill_of(evidence: Evidence, task: str) -> float:
    skill = record_of(evidence).clean_skill
    assert skill is not None
    return skill.tasks[task].value or 0


def test_a_class_that_is_not_the_most_frequent_is_refused(
    board: Board, stored: StoredRow, tiny_evidence: Evidence
) -> None:
    forged = answered(tiny_evidence, segmentation=rarest(tiny_evidence))
    assert skill_of(forged, "segmentation") > skill_of(tiny_evidence, "segmentation")
    forge(board, stored, forged)
    [text] = refusals(board.root)
    assert "constants.segmentation: the evidence: not the best constant answer: its class has" in text


@pytest.mark.parametrize("answers", [{"depth": [2.0]}, {"edge_texture": [0.5]}])
def test_rows_of_the_same_labels_have_the_same_answers(
    board: Board, stored: StoredRow, tiny_evidence: Evidence, tmp_path: Path, answers: dict[str, list[float]]
) -> None:
    base = shutil.copytree(board.root, tmp_path / "base")
    new = store(board.root, *row_of(answered(other_model(tiny_evidence), **answers), name="other"))
    [text] = refusals(board.root, base)
    [task] = answers
    assert f"{new.path.name}: constants.{task}: row {stored.id} has another best constant answer to the same" in text
    assert not any("constants" in each for each in flags(board.root, base))

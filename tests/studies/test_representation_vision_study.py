"""V1 to V6: the rules on made-up skills whose verdict is known, and the quick study."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from measured_toys import cell, numbers

from mtlattack.studies import Measured, find_study, run_study
from mtlattack.studies.representation_vision import RepresentationVisionStudy
from mtlattack.studies.representation_vision.claims import V1, V2, V3, V4, V5, V6, Compared
from mtlattack.studies.representation_vision.pictures import plot, tables
from mtlattack.studies.representation_vision.plan import FULL, IMAGENET, TASKS, sources_of
from mtlattack.studies.representation_vision.skills import LEAST, Arm, Skills

LABELS = [4, 32, 256]
CLAIMS = (V1, V2, V3, V4, V5, V6)
TARGETS = ["depth", "normals"]
Skill = Callable[[int, str, str, int], float]
"""Of t (0 from elsewhere), stage 1, stage 2 and m."""


def measured(skill: Skill, seeds: int = 2) -> list[Measured]:
    """Own backbones of 1 and 4 tasks, the zoo's clean and robust one of other images, ImageNet's, and oracles."""
    own = [
        {"kind": "own", "data": "rooms", "sources": ["edge_texture"] * t, "stage1": stage}
        for t in (1, 4)
        for stage in ("clean", "robust")
    ]
    models = (("nyuv2-some.shared", "clean"), ("nyuv2-some.shared.at-total", "robust"), (IMAGENET, "clean"))
    borrowed = [{"kind": "borrowed", "data": "rooms", "model": model, "stage1": stage} for model, stage in models]
    oracle = {"kind": "oracle", "data": "rooms"}
    return [
        cell(
            f"{number}-{seed}",
            {**told, "targets": TARGETS, "seed": seed, "labels": LABELS},
            heads={target: _heads(skill, told, seed) for target in TARGETS},
        )
        for number, told in enumerate([*own, *borrowed, oracle])
        for seed in range(seeds)
    ]


def _heads(skill: Skill, told: dict[str, Any], seed: int) -> dict[str, Any]:
    if told["kind"] == "oracle":
        return {"oracle": {"clean": 0.9, "robust": numbers(0.8, 1e-3, seed)}}
    t = len(told.get("sources", ()))
    return {
        f"{head}-{m}": {
            "clean": 0.9,
            "robust": numbers(skill(t, told["stage1"], head, m), 1e-3, seed),
            **({"standard": numbers(skill(t, told["stage1"], head, m) - 0.01, 1e-3, seed)} if m == 256 else {}),
        }
        for head in ("clean", "robust")
        for m in LABELS
    }


def as_promised(t: int, stage: str, head: str, m: int) -> float:
    return 0.1 + 0.01 * t + 0.1 * (stage == "robust") + 0.1 * (head == "robust") + 0.0005 * m


def reversed_of(t: int, stage: str, head: str, m: int) -> float:
    return 1 - as_promised(t, stage, head, m)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_a_rule_tells_a_promise_from_its_opposite(claim: Compared) -> None:
    judged = {skill: claim.judge(measured(skill)) for skill in (as_promised, reversed_of)}
    assert [verdict.outcome for verdict in judged.values()] == ["holds", "fails"]
    assert "rooms" in judged[as_promised].because
    # Two pairs of task and seed are too few for any verdict.
    assert (claim.judge(measured(as_promised, seeds=1)).outcome, claim.judge([]).outcome) == ("undecided", "undecided")


def test_heads_that_are_all_alike_decide_nothing() -> None:
    alike = measured(lambda t, stage, head, m: 0.0)
    assert {claim.judge(alike).outcome for claim in CLAIMS} == {"undecided"}


def test_one_comparison_below_zero_fails_a_claim_whose_needed_one_is_above() -> None:
    def only_with_few(t: int, stage: str, head: str, m: int) -> float:
        return 0.3 + (0.1 if m == 4 else -0.1) * (stage == "robust")

    verdict = V1.judge(measured(only_with_few))
    assert verdict.outcome == "fails"
    assert verdict.numbers["rooms t=1 m=4"]["value"] == pytest.approx(0.1, abs=1e-6)
    assert verdict.numbers["rooms t=4 m=256 by standard"]["value"] == pytest.approx(-0.1, abs=1e-6)


def test_skills_are_found_by_arm_and_no_head_counts_for_less_than_the_least() -> None:
    skills = Skills(measured(lambda t, stage, head, m: -3.0))
    assert list(map(str, skills.arms)) == [f"{IMAGENET}→rooms", "nyuv2→rooms", "rooms t=1", "rooms t=4"]
    assert [arm.tasks for arm in skills.own()["rooms"]] == [1, 4]
    assert skills.stages(Arm("rooms", 0, IMAGENET)) == ["clean"]
    found = skills.of(Arm("rooms", 1), "robust", "clean-4")
    assert set(found) == {(target, seed) for target in TARGETS for seed in range(2)}
    assert {float(value) for each in found.values() for value in each} == {LEAST}
    assert len(skills.oracle("rooms")) == 4 and not skills.oracle("nyuv2")


def test_tables_and_picture_show_every_arm(tmp_path: Path) -> None:
    skills = Skills(measured(as_promised))
    by_heads, by_target = tables(skills)
    assert len(by_heads.rows) == (2 + 2) * 2 * 2 * 3 - 2 * 3 and len(by_target.rows) == 2 * 3
    rows = {row[0]: row[1:] for row in by_heads.rows}
    assert rows["rooms t=4, robust stage 1, robust stage 2, m = 256"][0].startswith("0.468 [")
    # The oracle's .8 less the .468.
    assert rows["rooms t=4, robust stage 1, robust stage 2, m = 256"][-1].startswith("0.332 [")
    assert rows[f"{IMAGENET}→rooms, clean stage 1, clean stage 2, m = 4"][1] == "–"
    assert plot(skills, tmp_path / "skill.png").stat().st_size > 10_000


def test_the_target_is_never_among_its_sources_and_fewer_begin_more() -> None:
    for data, names in TASKS.items():
        for target in names:
            for seed in range(3):
                every = [set(sources_of(data, target, count, seed)) for count in range(1, len(names))]
                assert all(few < many for few, many in zip(every, every[1:], strict=False))
                assert every[-1] == set(names) - {target}


def test_the_full_study_holds_out_every_task_of_every_data_set() -> None:
    cells = RepresentationVisionStudy().cells(quick=False)
    assert len({each.name for each in cells}) == len(cells)
    held_out = {
        (cell.settings["data"], len(cell.settings["sources"]), target, cell.settings["stage1"], cell.settings["seed"])
        for cell in cells
        if cell.settings["kind"] == "own"
        for target in cell.settings["targets"]
    }
    assert held_out == {
        (data, t, target, stage, seed)
        for data, counts in (("rooms", (1, 2, 3, 4)), ("nyuv2", (2,)))
        for t in counts
        for target in TASKS[data]
        for stage in ("clean", "robust")
        for seed in FULL["seeds"]
    }
    assert len(FULL["seeds"]) >= 3


def test_the_quick_study_ends_and_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And renders no more than its few training images."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("MTLATTACK_CACHE", str(cache))
    finished = run_study(find_study("representation-vision"), tmp_path, quick=True)
    assert {verdict.outcome for verdict in finished.verdicts.values()} == {"undecided"}
    assert finished.pictures[0].stat().st_size > 10_000
    # Both kinds of head by two numbers of labels on clean, robust and the zoo's backbone.
    assert [len(table.rows) for table in finished.tables] == [3 * 2 * 2, 2]
    results = {path: path.stat().st_mtime_ns for path in tmp_path.glob("cells/*/result.json")}
    assert len(results) == 5
    run_study(find_study("representation-vision"), tmp_path, quick=True)
    assert results == {path: path.stat().st_mtime_ns for path in results}
    assert not cache.exists()

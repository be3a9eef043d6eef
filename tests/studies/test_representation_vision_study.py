"""V1 to V4: the rules on made-up skills whose verdict is known, and the quick study."""

from collections.abc import Callable
from pathlib import Path

import pytest
from measured_toys import cell, numbers

from mtlattack.studies import Measured, find_study, run_study
from mtlattack.studies.representation_vision import RepresentationVisionStudy
from mtlattack.studies.representation_vision.cells import FULL, sources_of
from mtlattack.studies.representation_vision.claims import V1, V2, V3, V4

LABELS = [4, 32, 256]
Skill = Callable[[int, str, str, int], float]
"""Of t, stage 1, stage 2 and m."""


def measured(skill: Skill, seeds: int = 4) -> list[Measured]:
    return [
        cell(
            f"{t}-{stage}-{seed}",
            {"target": "depth", "t": t, "stage1": stage, "seed": seed, "labels": LABELS},
            heads={
                f"{head}-{m}": {
                    kind: numbers(skill(t, stage, head, m), 1e-3, seed) for kind in ("clean", "robust")
                }
                for head in ("clean", "robust")
                for m in LABELS
            }
            | {"oracle": {kind: numbers(0.5, 1e-3, seed) for kind in ("clean", "robust")}},
        )
        for t in (1, 4)
        for stage in ("clean", "robust")
        for seed in range(seeds)
    ]  # fmt: skip


def as_promised(t: int, stage: str, head: str, m: int) -> float:
    return 0.1 + 0.01 * t + 0.1 * (stage == "robust") + 0.1 * (head == "robust") + 0.0005 * m


def reversed_of(t: int, stage: str, head: str, m: int) -> float:
    return 1 - as_promised(t, stage, head, m)


@pytest.mark.parametrize("claim", [V1, V2, V3, V4])
def test_a_rule_tells_a_promise_from_its_opposite(claim: object) -> None:
    judged = {skill: claim.judge(measured(skill)) for skill in (as_promised, reversed_of)}  # type: ignore[attr-defined]
    assert [verdict.outcome for verdict in judged.values()] == ["holds", "fails"]
    assert "depth" in judged[as_promised].because
    two = claim.judge(measured(as_promised, seeds=2))  # type: ignore[attr-defined]
    assert (two.outcome, claim.judge([]).outcome) == ("undecided", "undecided")  # type: ignore[attr-defined]


def test_heads_that_are_all_alike_decide_nothing() -> None:
    alike = measured(lambda t, stage, head, m: 0.0)
    assert {claim.judge(alike).outcome for claim in (V1, V2, V3, V4)} == {"undecided"}


def test_the_target_is_never_among_its_sources() -> None:
    assert sources_of("depth", 4) == ["normals", "segmentation", "keypoints2d", "edge_texture"]
    assert sources_of("normals", 1) == ["segmentation"]
    cells = RepresentationVisionStudy().cells(quick=False)
    assert len({each.name for each in cells}) == len(cells) == 2 * 2 * 3
    assert len(FULL["seeds"]) >= 3


def test_the_quick_study_ends_and_goes_on_where_it_was(tmp_path: Path) -> None:
    finished = run_study(find_study("representation-vision"), tmp_path, quick=True)
    assert {verdict.outcome for verdict in finished.verdicts.values()} <= {"undecided", "fails"}
    assert finished.pictures[0].stat().st_size > 10_000
    assert len(finished.tables) == 1 and len(finished.tables[0].rows) == 2 * 2 * 2
    results = {path: path.stat().st_mtime_ns for path in tmp_path.glob("cells/*/result.json")}
    assert len(results) == 2 and not list(tmp_path.glob("cells/*/rooms-half.h5"))
    run_study(find_study("representation-vision"), tmp_path, quick=True)
    assert results == {path: path.stat().st_mtime_ns for path in results}

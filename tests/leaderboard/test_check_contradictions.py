"""Evidence that no run can have left is refused; what a run does leave, whatever the model predicts, never is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from checking_toys import changed, forge, refusals
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kind_toys import every_task, target_shape

from mtlattack.evidence import Evidence
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.checking.contradictions import check_contradictions
from mtlattack.leaderboard.checking.structure import Case
from mtlattack.leaderboard.rows.plan import Plan
from mtlattack.tasks import Classes, Task


def found_in(stored: StoredRow, evidence: Evidence) -> list[str]:
    case = Case("row.json", stored, evidence, Plan.model_validate(stored.read_evidence().plan))
    return [f"{f.severity} {f.field}: {f.message}" for f in check_contradictions(case)]


def plan_of(place: int, **config: Any) -> Callable[[Evidence], None]:
    return lambda e: e.plan["attacks"][place]["config"].update(config)


def set_to(what: str, where: Any, value: Any, job: int = 3) -> Callable[[Evidence], None]:
    """A change of one array of a job (0 is clean): `losses`, `perturbation`, …, or a task's statistics."""

    def change(evidence: Evidence) -> None:
        outcome = [evidence.clean, *evidence.attacked][job]
        array = getattr(outcome, what) if hasattr(outcome, what) else outcome.statistics[what]
        array[where] = value(array[where]) if callable(value) else value

    return change


def depth_loss_halved(evidence: Evidence) -> None:
    evidence.attacked[4].losses[:, 1] /= 2


def all_right(evidence: Evidence) -> None:
    """All pixels of the right class, and a loss as if none were."""
    for outcome in evidence.attacked[:1]:
        values = outcome.statistics["segmentation"]
        classes = (values.shape[1] - 1) // 3
        values[:, 1 : 1 + classes] += values[:, 1 + 2 * classes :]
        values[:, 1 + classes :] = 0
        outcome.losses[:, 0] = 5


def test_what_a_run_left_is_free_of_contradictions(stored: StoredRow, tiny_evidence: Evidence) -> None:
    assert found_in(stored, tiny_evidence) == []


@pytest.mark.parametrize(
    "change, message",
    [
        (set_to("perturbation", (0, 0), 1e-9, job=0), "clean.perturbation: the evidence: the clean images were"),
        (set_to("diagnostics", (0, 0), 0.0, job=0), "clean.diagnostics: the evidence: an attack was noted"),
        (set_to("diagnostics", (0, 0), 0.5), "attacks.2.diagnostics: the evidence: vanished is neither 0 nor 1"),
        (set_to("diagnostics", (0, 1), -0.5), "attacks.2.diagnostics: the evidence: gap is negative"),
        (set_to("diagnostics", (0, 2), 2.0), "attacks.2.diagnostics: the evidence: found is neither 0 nor 1"),
        (set_to("seconds", 1, 0.0), "attacks.2.seconds: the evidence: it took no time (1 of 3 images"),
        (set_to("seconds", 1, -1.0, job=0), "clean.seconds: the evidence: it took no time"),
        (set_to("perturbation", (1, 0), 2.001 / 255), "attacks.2.perturbation: the evidence: linf is beyond ε = 0.0"),
        (set_to("perturbation", (1, 0), 2.0), "linf is more than 1"),
        (set_to("perturbation", (1, 0), 0.0), "as many pixels changed as by linf cannot have"),
        (set_to("perturbation", (1, 3), 0.0), "as many pixels changed as by linf cannot have"),
        (set_to("perturbation", (1, 3), 0.5), "the pixels that changed are no whole number"),
        (set_to("perturbation", (1, 3), 5.0), "l1² is more than the values that changed times l2²"),
        (set_to("perturbation", (1, 2), 0.01), "not linf ≤ l2 ≤ l1"),
        (set_to("perturbation", (1, 1), 0.001), "not linf ≤ l2 ≤ l1"),
        (set_to("perturbation", (1, 1), lambda x: 2 * x), "l2² is more than linf·l1"),
        (set_to("perturbation", (1, 1), -1.0), "a norm is negative"),
        (set_to("losses", (0, 0), -0.5), "attacks.2.metrics.segmentation: the evidence: a loss is negative"),
        (set_to("losses", (0, 0), 1e-6), "the loss is less than the pixels of a wrong class alone make it"),
        (all_right, "the loss is more than pixels that all are right can make it"),
        (depth_loss_halved, "attacks.4.metrics.depth: the evidence: the loss is not abs_sum/pixels"),
        (set_to("losses", (0, 3), lambda x: x * 1.001), "metrics.edge_texture: the evidence: the loss is not abs_sum/"),
        (set_to("losses", (0, 2), 0.0), "the loss is not what the histogram of angles allows"),
        (set_to("losses", (0, 2), 2.5), "the loss is not what the histogram of angles allows"),
        (set_to("losses", (0, 2), lambda x: x * 0.5 + 0.5), "flagged attacks.2.metrics.normals: the evidence: "),
        (set_to("segmentation", (0, 0), lambda x: x - 1), "what depends on the labels alone is not as in the clean"),
        (set_to("segmentation", (0, 0), 0.5), "the valid pixels are no whole number"),
        (set_to("segmentation", (0, 0), 2.0**24), "the valid pixels are no whole number from 0 to below 16,777,216"),
        (set_to("segmentation", (0, 0), 0.0), "there is something without valid pixels"),
        (set_to("segmentation", (0, 1), lambda x: x + 1), "tp + fn of all classes are not the valid pixels"),
        (set_to("segmentation", (0, 15), lambda x: x + 1), "tp + fp of all classes are not the valid pixels"),
        (set_to("segmentation", (0, 1), -1.0), "tp is no whole number of pixels from 0 to the valid ones"),
        (set_to("segmentation", (0, 1), 1e6), "tp is no whole number of pixels from 0 to the valid ones"),
        (set_to("depth", (0, 1), -1.0), "a sum of errors is negative"),
        (set_to("depth", (0, 2), 0.0), "rel_sum is less than what the pixels that are no inliers add"),
        (set_to("depth", (0, 3), 0.0), "square_sum is less than abs_sum²/pixels"),
        (set_to("depth", (0, 3), 1e30), "square_sum is more than abs_sum²"),
        (set_to("depth", (0, 4), lambda x: x + 0.5), "inliers1 is no whole number of pixels"),
        (set_to("depth", (0, 5), 0.0), "inliers1 is more than inliers2, which includes it"),
        (set_to("depth", (0, 6), 0.0), "inliers2 is more than inliers3, which includes it"),
        (set_to("depth", (0, 6), 1e6), "inliers3 is more than pixels, which includes it"),
        (set_to("normals", (0, 1), 0.0), "angle_sum is not what the histogram allows"),
        (set_to("normals", (0, 1), lambda x: x * 1.5), "angle_sum is not what the histogram allows"),
        (set_to("normals", (0, 2), lambda x: x + 4000), "within_11.25 is"),
        (set_to("normals", (0, 4), 0.0), "within_22.5 is more than within_30, which includes it"),
        (set_to("normals", (0, 4), lambda x: x + 5000), "within_30 is"),
        (set_to("normals", (0, 365 - 1), lambda x: x + 1), "the bins of the histogram are not the valid pixels"),
        (set_to("normals", (0, 5), 0.5), "bins is no whole number of pixels"),
        (set_to("keypoints2d", (0, 1), lambda x: x * 2), "the loss is not abs_sum/pixels"),
        (plan_of(1, eps=5.0), "attacks.1.config: eps 5.0 is outside (0, 1]"),
    ],
)  # fmt: skip
def test_numbers_that_exclude_each_other_are_named(
    stored: StoredRow, tiny_evidence: Evidence, change: Callable[[Evidence], None], message: str
) -> None:
    found = found_in(stored, changed(tiny_evidence, change))
    assert any(message in text for text in found), found


@pytest.mark.parametrize(
    "norm, eps, refused",
    [
        ("l2", 0.5, False),
        ("l2", 0.49, True),
        ("l1", 20.0, False),
        ("l1", 19.9, True),
        ("l0", 2000.0, False),
        ("l0", 1999.0, True),
        ("linf", 0.02, False),
        ("linf", 0.0199, True),
        ("patch", 0.1, False),
    ],
)
def test_every_norm_is_held_against_its_eps(
    stored: StoredRow, tiny_evidence: Evidence, norm: str, eps: float, refused: bool
) -> None:
    def change(evidence: Evidence) -> None:
        plan_of(0, norm=norm, eps=eps)(evidence)
        evidence.attacked[0].perturbation[:] = [0.02, 0.5, 20.0, 2000]

    found = found_in(stored, changed(tiny_evidence, change))
    assert any(f"{norm} is beyond ε" in text for text in found) == refused, found


def test_all_that_is_wrong_is_named_and_how_often(board: Board, stored: StoredRow, tiny_evidence: Evidence) -> None:
    def change(evidence: Evidence) -> None:
        evidence.attacked[0].perturbation[:, 0] = 0.1
        evidence.attacked[2].statistics["depth"][:2, 1] *= 2

    forge(board, stored, changed(tiny_evidence, change))
    found = refusals(board.root)
    assert any("attacks.0.perturbation: the evidence: linf is beyond ε" in text and "3 of 3" in text for text in found)
    assert any("attacks.2.metrics.depth: " in text and "2 of 3 images" in text for text in found)


TASKS = every_task(4)
SCALES = st.sampled_from([0.0, 1e-20, 1e-7, 1e-3, 1.0, 30.0, 1e6])


def target_of(task: Task, generator: torch.Generator) -> torch.Tensor:
    size = (2, *target_shape(task, (9, 11)))
    if isinstance(task, Classes):
        classes = torch.randint(0, 5, size, generator=generator)
        return torch.where(classes == 4, task.ignore, classes)
    if task.kind == "multilabel":
        return torch.randint(-1, 2, size, generator=generator).float()
    values = torch.rand(size, generator=generator) * (torch.rand(size, generator=generator) > 0.2)
    return values - 0.5 if task.kind == "normals" else values


@pytest.mark.parametrize("kind", TASKS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**31), scale=SCALES, near=st.floats(0, 1), holes=st.booleans())
def test_no_prediction_makes_a_contradiction(kind: str, seed: int, scale: float, near: float, holes: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    task = TASKS[kind]
    target = target_of(task, generator)
    prediction = torch.randn((2, *task.prediction_shape((9, 11))), generator=generator) * scale
    if isinstance(task, Classes):
        shown = torch.nn.functional.one_hot(target.clamp(0, 3), 4).movedim(-1, 1)
        prediction = prediction + near * 40 * shown
    else:
        prediction = near * target.reshape(prediction.shape) + (1 - near) * prediction
    if holes:
        prediction = prediction * (torch.rand(prediction[:, :1].shape, generator=generator) > 0.5)
    statistics = task.statistics(prediction, target).double().numpy()
    losses = task.loss(prediction, target).double().numpy()
    for each in task.contradictions(statistics, losses):
        assert each.severity == "flagged" or not each.images.any(), each.says
    other = task.statistics(-prediction, target).double().numpy()
    assert np.array_equal(task.labels_of(statistics), task.labels_of(other))

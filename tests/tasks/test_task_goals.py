"""Goals of targeted attacks: what labels become, what stays invalid, how far apart answers are, and bad input."""

import numpy as np
import pytest
import torch
from task_toys import ROWS, TASKS, random_pair

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.tasks import KEEP, Segmentation, create_task

IDENTITIES = {"segmentation": "3->3", "classification": "3to3", "normals": "z-0"}


@pytest.mark.parametrize("name", list(ROWS))
def test_no_goal_gives_a_pixel_without_a_label_one(name: str) -> None:
    task, (prediction, labels) = TASKS[name], random_pair(name, seed=0)
    before = task.pixel_losses(prediction, labels)[1]
    assert 0 < before.sum() < before.numel() and task.goal_forms
    for text in (KEEP, *(form.replace("5", "4") for form in task.goal_forms)):
        goal = task.goal(text)
        wanted = goal.of(labels)
        assert (goal.text, wanted.shape, wanted.dtype) == (text, labels.shape, labels.dtype)
        losses, valid = task.pixel_losses(prediction, wanted)
        assert (before | ~valid).all() and losses[valid].isfinite().all()
        if text == "1->4":
            assert torch.equal(valid, task.places(labels == 1))
        elif text in ("+4", "-4"):
            assert torch.equal(valid[:, 4], before[:, 4]) and not valid[:, [0, 1, 2, 3, 5]].any()
        else:
            assert torch.equal(valid, before)


@pytest.mark.parametrize("name", list(ROWS))
def test_only_keep_changes_no_label(name: str) -> None:
    task, (_, labels) = TASKS[name], random_pair(name, seed=1)
    wanted = task.goal(KEEP).of(labels)
    assert torch.equal(torch.nan_to_num(wanted), torch.nan_to_num(labels))
    if name != "multilabel":  # What becomes of a label there depends on the label.
        text = IDENTITIES.get(name, "x1.0")
        with pytest.raises(InputError, match=f"^{name}: the target '{text}' is what the labels say already; .* keep$"):
            task.goal(text)


def test_classes_become_others() -> None:
    task = Segmentation(5)
    labels = torch.tensor([[[0, 1, 2, 255, 1]]])
    assert task.goal("1->4").of(labels).tolist() == [[[255, 4, 255, 255, 4]]]
    assert task.goal("1to4").of(labels).tolist() == [[[255, 4, 255, 255, 4]]]
    assert task.goal("*->3").of(labels).tolist() == [[[3, 3, 3, 255, 3]]]


def test_factors_multiply_as_far_as_the_range_goes() -> None:
    labels = torch.tensor([[[0.5, 0.8]]])
    torch.testing.assert_close(create_task("depth").goal("x1.5").of(labels), torch.tensor([[[0.75, 1.2]]]))
    torch.testing.assert_close(create_task("edge_texture").goal("x1.5").of(labels), torch.tensor([[[0.75, 1.0]]]))
    torch.testing.assert_close(create_task("principal_curvature").goal("x-1").of(labels), -labels)
    assert not create_task("keypoints2d").goal("x0").of(labels).any()


@pytest.mark.parametrize("axis", "xyz")
def test_normals_turn_by_the_right_hand_rule(axis: str) -> None:
    task, (_, labels) = TASKS["normals"], random_pair("normals", seed=2)
    angle, unit = np.deg2rad(-40), np.eye(3)["xyz".index(axis)]
    cross = np.cross(np.eye(3), unit)  # Rodrigues: R = I + sin·K + (1 − cos)·K².
    rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    expected = np.einsum("ij,bjhw->bihw", rotation, labels.double().numpy())
    np.testing.assert_allclose(task.goal(f"{axis}-40").of(labels).numpy(), expected, atol=1e-6)
    valid = task.pixel_losses(labels, labels)[1]
    assert (task.apart(labels, labels)[valid] == 0).all()


def test_apart_is_in_the_unit_of_the_first_metric() -> None:
    for name, task in TASKS.items():
        prediction, labels = random_pair(name, seed=3)
        apart, valid = task.apart(task.as_label(prediction), labels), task.pixel_losses(prediction, labels)[1]
        mean = task.apart_factor * float(apart[valid].double().mean())
        sums = task.statistics(prediction, labels).double().sum(0).numpy()
        metrics = {metric: float(value) for metric, value in task.metrics(sums).items()}
        right = next((metrics[x] for x in ("pixel_accuracy", "accuracy", "label_accuracy") if x in metrics), None)
        first = metrics[task.metric_table[0].name] if right is None else 100 - right
        assert mean == pytest.approx(first, rel=1e-4), name


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("segmentation", "1->5", "segmentation: class 5 of the target '1->5', expected 0 to 4"),
        ("segmentation", "9to1", "segmentation: class 9 of the target '9to1', expected 0 to 4"),
        ("depth", "x0", "depth: the factor of the target 'x0' is 0, expected one above 0"),
        ("depth", "x-1", "is -1, expected one above 0"),
        ("depth", "x1e999", "is inf, expected one above 0"),
        ("edge_texture", "x-0.1", "is -0.1, expected one of at least 0"),
        ("principal_curvature", "x1e999", "is inf, expected one that is finite"),
        ("normals", "y181", "normals: the angle of the target 'y181' is 181°, expected -180 to 180"),
    ],
)
def test_numbers_out_of_range_are_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        TASKS[name].goal(text)
    assert said in str(raised.value) and not isinstance(raised.value, UnknownNameError)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("depth", "kep", "unknown target of depth 'kep'; did you mean 'keep'?"),
        ("depth", "1.5", "unknown target of depth '1.5'; did you mean 'x1.5'?"),
        ("segmentation", "1-", "unknown target of segmentation '1-'; did you mean '1->5'?"),
        ("segmentation", "x1.5", "unknown target of segmentation 'x1.5'"),
        ("normals", "w30", "unknown target of normals 'w30'; did you mean 'y30'?"),
        ("normals", "", "unknown target of normals ''; known: "),
    ],
)
def test_what_is_no_goal_gets_the_nearest(name: str, text: str, said: str) -> None:
    with pytest.raises(UnknownNameError) as raised:
        TASKS[name].goal(text)
    assert str(raised.value).startswith(said)


def test_the_class_that_marks_no_label_is_no_goal() -> None:
    with pytest.raises(InputError, match="class 0 of the target '1->0' marks pixels without a label"):
        Segmentation(5, ignore=0).goal("1->0")

"""The faults of published code, each on a case made by hand, beside what is right."""

import math

import pytest
import torch
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.tasks import Task, create_task
from mtlattack.tasks.published import published_tasks


def pair(kind: str, labels: str = "nyuv2", **options: int) -> tuple[Task, Task]:
    """The task as it is, and as the code of DGBA has it."""
    task = create_task(kind, **options)
    return task, published_tasks("dgba", {kind: task}, labels)[kind]


def metrics(task: Task, prediction: Tensor, target: Tensor) -> dict[str, float]:
    sums = task.statistics(prediction, target).double().sum(0).numpy()
    return {name: float(value) for name, value in task.metrics(sums).items()}


def logits(classes: Tensor, count: int) -> Tensor:
    return torch.nn.functional.one_hot(classes, count).movedim(-1, 1).float()


def test_a_class_that_is_never_hit_is_dropped_from_the_mean() -> None:
    """Two of four pixels are of class 0 and found, class 1 has one and is found, class 2 is taken for class 1."""
    right, published = pair("segmentation", classes=3)
    target = torch.tensor([[[0, 0], [1, 2]]])
    prediction = logits(torch.tensor([[[0, 0], [1, 1]]]), 3)
    assert metrics(right, prediction, target)["miou"] == pytest.approx(100 * (1 + 0.5 + 0) / 3)
    assert metrics(published, prediction, target)["miou"] == pytest.approx(100 * (1 + 0.5) / 2)
    accuracy = [metrics(task, prediction, target)["pixel_accuracy"] for task in (right, published)]
    assert accuracy == [75, 75]


def test_a_negative_depth_is_an_inlier() -> None:
    right, published = pair("depth")
    target = torch.tensor([[[2.0, 2.0], [2.0, 0.0]]])
    prediction = torch.tensor([[[[2.1, -5.0], [9.0, -1.0]]]])
    assert metrics(right, prediction, target)["delta1"] == pytest.approx(100 / 3)
    assert metrics(published, prediction, target)["delta1"] == pytest.approx(200 / 3)
    assert metrics(published, prediction, target)["abs_error"] == metrics(right, prediction, target)["abs_error"]


def test_normals_stay_in_one_octant() -> None:
    """Opposite normals along x become (1, ½, ½) and (0, ½, ½): cos = 1/√3, 54.7° and not 180°."""
    right, published = pair("normals")
    x = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert metrics(right, -3 * x, x)["angle_mean"] == pytest.approx(180)
    cosine = 1 / math.sqrt(3)
    assert metrics(published, -3 * x, x)["angle_mean"] == pytest.approx(math.degrees(math.acos(cosine)), abs=0.2)
    assert published.loss(-3 * x, x).item() == pytest.approx(1 - cosine, abs=0.003)
    unknown = torch.zeros_like(x)
    assert published.loss(-x, unknown).item() == 0 and published.statistics(-x, unknown).sum() == 0


def test_a_mirrored_normal_keeps_its_x() -> None:
    right, published = pair("normals")
    label = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]).view(3, 1, 2)
    assert torch.equal(published.mirrored(label), label.flip(-1))
    assert right.mirrored(label)[0, 0, 1] == -1


def test_unlabelled_pixels_of_taskonomy_are_of_class_0() -> None:
    right, published = pair("segmentation", "taskonomy", classes=2)
    target = torch.tensor([[[1, 255, 255, 255]]])
    prediction = logits(torch.tensor([[[1, 1, 1, 0]]]), 2)
    assert metrics(right, prediction, target)["pixel_accuracy"] == 100
    assert metrics(published, prediction, target)["pixel_accuracy"] == 50
    filled = torch.where(target == 255, 0, target)
    assert torch.equal(published.loss(prediction, target), right.loss(prediction, filled))
    assert published.loss(prediction, target) > right.loss(prediction, target)


def test_names_stay_and_what_is_right_too() -> None:
    tasks = {"seg": create_task("segmentation", classes=3).called("seg"), "edge_texture": create_task("edge_texture")}
    found = published_tasks("dgba", tasks)
    assert [task.name for task in found.values()] == ["seg", "edge_texture"]
    assert found["seg"].channels == 3 and found["edge_texture"] is tasks["edge_texture"]
    # No kind that evidence could name.
    with pytest.raises(InputError, match="unknown task 'segmentation_dgba'"):
        create_task(found["seg"].kind, classes=3)


@pytest.mark.parametrize(("compat", "labels", "told"), [("dbga", "nyuv2", "'dgba'"), ("dgba", "nyu", "'nyuv2'")])
def test_unknown_code_or_labels(compat: str, labels: str, told: str) -> None:
    with pytest.raises(InputError, match=f"did you mean {told}"):
        published_tasks(compat, {}, labels)

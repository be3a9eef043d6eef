"""Predictions in another scale or unit than the labels are noticed, and the factor is named."""

import json

import pytest
import torch
from task_toys import INVALID, TASKS, random_pair

from mtlattack import create_model, load_dataset
from mtlattack.analysis.trust import CHECKS
from mtlattack.tasks import Depth, Segmentation, create_task
from mtlattack.tasks.doubts import best_temperature

DISTANCES = ("depth", "depth_euclidean", "inverse_depth")


def calibrated(classes: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels drawn from their own softmax: the best temperature is 1 but for chance."""
    draw = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(4, classes, 40, 50, generator=draw)
    chances = logits.softmax(1).movedim(1, -1).reshape(-1, classes)
    return logits, torch.multinomial(chances, 1, generator=draw).reshape(4, 40, 50)


@pytest.mark.parametrize("factor", [0.005, 0.05, 0.3, 1.0, 4.0, 50.0])
def test_the_best_temperature_follows_the_logits(factor):
    logits, labels = calibrated()
    flat = logits.movedim(1, -1).reshape(-1, 5)
    found = best_temperature(factor * flat, labels.flatten())
    assert found == pytest.approx(factor, rel=0.05)
    loss = torch.nn.functional.cross_entropy
    least = min(float(loss(factor * flat / t, labels.flatten())) for t in factor * torch.linspace(0.8, 1.25, 46))
    assert float(loss(factor * flat / found, labels.flatten())) <= least * (1 + 1e-6)


@pytest.mark.parametrize(("factor", "named"), [(1 / 20, "20"), (50.0, "0.02")])
def test_logits_of_another_scale_are_named(factor, named):
    task, (logits, labels) = Segmentation(5), calibrated()
    assert task.doubts(task.look(logits, labels)) == []
    (flag, text), *rest = task.doubts(task.look(factor * logits, labels))
    assert not rest and flag == "logit-scale"
    assert float(text.split("multiplied by ")[1].split(";")[0]) == pytest.approx(float(named), rel=0.06)


def test_logits_that_say_nothing_or_everything_have_no_scale():
    task, (logits, labels) = Segmentation(5), calibrated()
    right = torch.nn.functional.one_hot(labels, 5).movedim(-1, 1).float()
    for odd in (-logits, right, torch.zeros_like(logits), torch.full_like(logits, float("nan"))):
        assert task.doubts(task.look(odd, labels)) == []


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("factor", [0.001, 0.3, 1.0, 2.0, 3.3, 1000.0])
def test_a_wrong_unit_is_named_with_its_factor(name, factor):
    task, (_, target) = create_task(name), random_pair(name, 3)
    seen = task.look(factor * target.nan_to_num(1, 1, 1)[:, None], target)
    assert seen["factor"] == pytest.approx(factor, rel=1e-5)
    found = dict(task.doubts(seen))
    assert set(found) == (set() if 0.4 <= factor <= 2.5 else {"wrong-unit"})
    if found:
        assert f"{factor:,g} times the labels" in found["wrong-unit"]


def test_metres_have_neighbours_that_are_guessed():
    def text(factor):
        return Depth().doubts({"factor": factor})[0][1]

    assert text(930.0) == "depth: predictions are about 930 times the labels: millimetres against metres?"
    assert text(90.0).endswith("centimetres against metres?") and text(3.28).endswith("feet against metres?")
    assert text(30.0) == "depth: predictions are about 30 times the labels"


@pytest.mark.parametrize("name", DISTANCES)
def test_the_share_of_distances_that_are_none_is_named(name):
    task, target = create_task(name), torch.full((1, 10, 20), 2.0)
    target[0, 0] = INVALID[name][0]  # Predictions there do not count.
    prediction = target[:, None].clone()
    prediction[0, 0, 1, :2] = -1  # 2 of 180 pixels.
    prediction[0, 0, 0] = -1
    assert dict(task.doubts(task.look(prediction, target))) == {
        "negative-depth": f"{name}: 1.1 % of the predictions are not positive, as distances are"
    }
    prediction[0, 0, 1, 0] = 2
    assert task.doubts(task.look(prediction, target)) == []


@pytest.mark.parametrize("name", TASKS)
def test_what_was_seen_is_json_and_missing_labels_raise_no_doubt(name):
    task, (prediction, target) = TASKS[name], random_pair(name, 2)
    seen = task.look(prediction, target)
    assert json.loads(json.dumps(seen)) == seen and task.doubts(json.loads(json.dumps(seen))) == task.doubts(seen)
    assert task.doubts(task.look(prediction, torch.full_like(target, INVALID[name][0]))) == []


def test_a_shipped_model_raises_no_doubt_and_a_cooled_one_does():
    model, data = create_model("rooms-resnet10t.shared").eval(), load_dataset("rooms", split="test", limit=4)
    batch = [data[k] for k in range(4)]
    with torch.inference_mode():
        predictions = model(torch.cat([each.images for each in batch]))
    targets = {name: torch.cat([each.targets[name] for each in batch]) for name in data.tasks}
    for name, task in data.tasks.items():
        assert task.doubts(task.look(predictions[name], targets[name])) == []
    task = data.tasks["segmentation"]
    for factor in (1 / 20, 50):
        looked = task.look(factor * predictions["segmentation"], targets["segmentation"])
        assert [flag for flag, _ in task.doubts(looked)] == ["logit-scale"]


@pytest.mark.parametrize("name", TASKS)
def test_only_flags_that_a_task_knows_of_are_raised(name):
    task = TASKS[name]
    raised = {flag for flag, _ in task.doubts({"factor": 1000.0, "negative": 1.0, "temperature": 0.01})}
    assert raised == set(task.doubtful)
    assert set(task.doubtful) <= set(CHECKS)
    assert ("wrong-unit" in task.doubtful) == ("negative-depth" in task.doubtful) == (name in DISTANCES)

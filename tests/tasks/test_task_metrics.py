"""Metrics against torchmetrics, scikit-learn and direct computation; statistics that add up."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, mean_absolute_error, mean_absolute_percentage_error
from task_toys import INVALID, POSITIVE, TASKS, metrics_of, random_pair, truth_of, valid_pixels
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex
from torchmetrics.regression import CosineSimilarity, MeanAbsoluteError, MeanSquaredError

from mtlattack.tasks import Depth, Normals, Segmentation

every_task = pytest.mark.parametrize("name", TASKS)
seeds = pytest.mark.parametrize("seed", range(5))


def numpy_metrics(name: str, p: np.ndarray, t: np.ndarray) -> dict[str, float]:
    """Every metric of a task from its definition, over `valid_pixels`."""
    if name == "segmentation":
        guess, ious = p.argmax(1), []
        for c in np.unique(t):
            ious.append(((guess == c) & (t == c)).sum() / ((guess == c) | (t == c)).sum())
        return {"miou": 100 * np.mean(ious), "pixel_accuracy": 100 * np.mean(guess == t)}
    if name == "classification":
        guess, found = p.argmax(1), [(p.argmax(1)[t == c] == c).mean() for c in np.unique(t)]
        return {"accuracy": 100 * np.mean(guess == t), "mean_recall": 100 * np.mean(found)}
    if name == "normals":
        cosine = (p * t).sum(1) / np.linalg.norm(p, axis=1) / np.linalg.norm(t, axis=1)
        angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        within = {f"within_{x:g}": 100 * np.mean(angle <= x) for x in (11.25, 22.5, 30)}
        return {"angle_mean": angle.mean(), "angle_median": np.median(angle), **within}
    error = np.abs(p - t.reshape(p.shape)).mean(1)
    if name == "scalar":
        return {"abs_error": error.mean(), "rmse": np.sqrt((error**2).mean())}
    if name not in POSITIVE:
        return {"l1": error.mean()}
    if name == "inverse_depth":
        return {"abs_error": error.mean(), "rel_error": (error / t).mean()}
    with np.errstate(divide="ignore"):
        inlier = [(p[:, 0] > 0) & (np.maximum(p[:, 0] / t, t / p[:, 0]) <= 1.25**k) for k in (1, 2, 3)]
    deltas = {f"delta{k}": 100 * np.mean(x) for k, x in enumerate(inlier, 1)}
    return {"abs_error": error.mean(), "rel_error": (error / t).mean(), "rmse": np.sqrt((error**2).mean()), **deltas}


def sklearn_of_labels(prediction: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    """Metrics of multi-label classification, label by label over the images that know it."""
    known = target.isfinite() & (target >= 0)
    f1, right = [], []
    for guess, true, which in zip((prediction > 0).T, target.T, known.T, strict=True):
        right += (guess == true)[which].tolist()
        if true[which].any():
            f1.append(f1_score(true[which], guess[which]))
    return {"f1": 100 * np.mean(f1), "label_accuracy": 100 * np.mean(right)}


@seeds
@every_task
def test_metrics_are_what_their_definitions_say(name, seed):
    task, (prediction, target) = TASKS[name], random_pair(name, seed)
    if name == "multilabel":
        expected = sklearn_of_labels(prediction, target)
    else:
        expected = numpy_metrics(name, *valid_pixels(name, prediction, target))
    found = metrics_of(task, prediction, target)
    assert list(found) == [metric.name for metric in task.metric_table] and set(found) == set(expected)
    for metric, value in expected.items():
        tolerance = {"abs": 0.5} if metric == "angle_median" else {"rel": 2e-5}
        assert found[metric] == pytest.approx(value, **tolerance), metric


@seeds
def test_segmentation_agrees_with_torchmetrics_and_sklearn(seed):
    task, (prediction, target) = Segmentation(5), random_pair("segmentation", seed)
    found = metrics_of(task, prediction, target)
    options = {"num_classes": 5, "ignore_index": 255}
    oracle = MulticlassJaccardIndex(average="none", **options)
    per_class = oracle(prediction.argmax(1), target)
    assert found["miou"] == pytest.approx(100 * float(per_class.mean()), rel=1e-5)
    accuracy = MulticlassAccuracy(average="micro", **options)(prediction.argmax(1), target)
    assert found["pixel_accuracy"] == pytest.approx(100 * float(accuracy), rel=1e-5)
    p, t = valid_pixels("segmentation", prediction, target)
    assert found["miou"] == pytest.approx(100 * jaccard_score(t, p.argmax(1), average="macro"))
    assert found["pixel_accuracy"] == pytest.approx(100 * accuracy_score(t, p.argmax(1)))
    tp, fp, fn = np.split(task.statistics(prediction, target).sum(0).numpy()[1:], 3)
    assert tp / (tp + fp + fn) == pytest.approx(per_class.numpy(), rel=1e-5)


@seeds
@pytest.mark.parametrize("name", POSITIVE)
def test_depth_agrees_with_torchmetrics_and_sklearn(name, seed):
    prediction, target = random_pair(name, seed)
    found = metrics_of(TASKS[name], prediction, target)
    p, t = (torch.from_numpy(x) for x in valid_pixels(name, prediction, target))
    assert found["abs_error"] == pytest.approx(float(MeanAbsoluteError()(p[:, 0], t)), rel=1e-5)
    assert found["rel_error"] == pytest.approx(mean_absolute_percentage_error(t, p[:, 0]), rel=1e-5)
    if name != "inverse_depth":
        assert found["rmse"] == pytest.approx(float(MeanSquaredError(squared=False)(p[:, 0], t)), rel=1e-5)


@pytest.mark.parametrize("name", ["edge_texture", "keypoints2d", "reshading", "principal_curvature"])
def test_l1_agrees_with_sklearn(name):
    prediction, target = random_pair(name, 3)
    p, t = valid_pixels(name, prediction, target)
    expected = mean_absolute_error(t.reshape(p.shape), p)
    assert metrics_of(TASKS[name], prediction, target)["l1"] == pytest.approx(expected, rel=1e-5)


def test_a_pixel_with_one_curvature_alone_is_invalid():
    target = torch.zeros(1, 2, 1, 3)
    target[0, 1, 0, 2] = float("nan")
    assert TASKS["principal_curvature"].statistics(torch.ones(1, 2, 1, 3), target).tolist() == [[2, 2]]


def test_normals_loss_agrees_with_torchmetrics():
    prediction, target = random_pair("normals", 4, batch=1)
    p, t = (torch.from_numpy(x) for x in valid_pixels("normals", prediction, target))
    expected = 1 - CosineSimilarity(reduction="mean")(p, t)
    assert float(Normals().loss(prediction, target)) == pytest.approx(float(expected), rel=1e-5)


@every_task
def test_statistics_add_up_over_any_split_and_batch_size(name):
    task, (prediction, target) = TASKS[name], random_pair(name, 8, batch=7)
    whole = task.statistics(prediction, target)
    assert whole.shape == (7, len(task.statistics_names)) and whole.dtype == torch.float32
    assert torch.equal(whole[:, 0].long(), torch.tensor([len(valid_pixels(name, *_one(prediction, target, i))[1])
                                                         for i in range(7)]))  # fmt: skip
    for sizes in ([1] * 7, [3, 4], [2, 2, 3]):
        parts = [task.statistics(p, t) for p, t in zip(prediction.split(sizes), target.split(sizes), strict=True)]
        assert torch.allclose(torch.cat(parts), whole, rtol=1e-6)
    counts = [i for i, column in enumerate(task.statistics_names) if not column.endswith("sum")]
    assert torch.equal(whole[:, counts], whole[:, counts].round())


def _one(prediction, target, i):
    return prediction[[i]], target[[i]]


@every_task
def test_metrics_over_leading_dimensions_equal_those_of_each_row(name):
    task, (prediction, target) = TASKS[name], random_pair(name, 9, batch=6)
    rows = task.statistics(prediction, target).double().numpy().reshape(2, 3, -1)
    rows[1, 2] = 0  # A row that saw no valid pixel.
    together = task.metrics(rows)
    for i in range(2):
        for j in range(3):
            for metric, value in task.metrics(rows[i, j]).items():
                assert together[metric].shape == (2, 3)
                np.testing.assert_array_equal(together[metric][i, j], value)


@every_task
def test_invalid_pixels_count_nowhere(name):
    task, (prediction, target) = TASKS[name], random_pair(name, 10)
    statistics, loss = task.statistics(prediction, target), task.loss(prediction, target)
    valid = torch.ones_like(target, dtype=torch.bool)
    for value in INVALID[name]:
        valid &= ~(target.isnan() if value != value else target == value)
    if task.dense or not task.target_channels:
        valid = (valid.any(1) if task.target_channels else valid)[:, None]
    moved = torch.where(valid, prediction, -3 * prediction + 1)
    assert not torch.equal(moved, prediction)
    assert torch.equal(task.statistics(moved, target), statistics)
    assert torch.equal(task.loss(moved, target), loss)


@every_task
def test_images_without_valid_pixels_add_nothing_and_nothing_valid_gives_nan(name):
    task, (prediction, target) = TASKS[name], random_pair(name, 11)
    for value in INVALID[name]:
        blank = torch.full_like(target, value)
        assert not task.statistics(prediction, blank).any()
        assert all(np.isnan(value) for value in metrics_of(task, prediction, blank).values())
    mixed = torch.cat([target, torch.full_like(target, INVALID[name][0])])
    assert metrics_of(task, torch.cat([prediction, prediction]), mixed) == metrics_of(task, prediction, target)


def test_a_class_driven_to_zero_counts_as_zero_and_one_absent_from_the_labels_is_left_out():
    task = Segmentation(4)
    target = torch.tensor([[[0, 0, 1, 1]]])
    logits = 9.0 * torch.nn.functional.one_hot(torch.tensor([[[0, 0, 0, 0]]]), 4).permute(0, 3, 1, 2)
    assert metrics_of(task, logits, target)["miou"] == pytest.approx(100 * (0.5 + 0) / 2)
    logits = 9.0 * torch.nn.functional.one_hot(torch.tensor([[[0, 3, 1, 1]]]), 4).permute(0, 3, 1, 2)
    assert metrics_of(task, logits, target)["miou"] == pytest.approx(100 * (0.5 + 1) / 2)


@pytest.mark.parametrize("guess", [-1.0, -0.99, 0.0, 1e-42])
def test_negative_and_zero_depths_are_no_inliers(guess):
    found = metrics_of(Depth(), torch.full((1, 1, 2, 2), guess), torch.ones(1, 2, 2))
    assert [found[f"delta{k}"] for k in (1, 2, 3)] == [0, 0, 0]
    assert found["abs_error"] == pytest.approx(1 - guess) and np.isfinite(found["rmse"])


@pytest.mark.parametrize("k", [1, 2, 3])
def test_inliers_by_ratio_in_both_directions(k):
    limit = 1.25**k
    guesses = torch.tensor([limit - 1e-3, limit + 1e-3, 1 / limit + 1e-3, 1 / limit - 1e-3])
    found = metrics_of(Depth(), guesses.view(1, 1, 2, 2), torch.ones(1, 2, 2))
    assert found[f"delta{k}"] == 50


def angled(degrees: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """A prediction at these angles from the target (0, 0, −1), in float64."""
    radians = torch.from_numpy(np.radians(np.asarray(degrees, np.float64))).view(1, -1, 1)
    prediction = torch.stack([radians.sin(), torch.zeros_like(radians), -radians.cos()], 1)
    return prediction, torch.tensor([0.0, 0.0, -1.0], dtype=torch.float64).view(1, 3, 1, 1).expand_as(prediction)


DRAW = np.random.default_rng(0)
DISTRIBUTIONS = {
    "all 0": np.zeros(50),
    "all 180": np.full(50, 180.0),
    "one": np.array([42.3]),
    "two far apart": np.array([0.0, 100.0]),
    "two lumps of the same size": np.repeat([5.1, 5.2, 90.3, 91.0], 10),
    "two lumps, one more": np.repeat([5.1, 90.3], [10, 11]),
    "on the edges of bins": np.arange(0, 180, 0.5),
    "uniform": DRAW.uniform(0, 180, 501),
    "small": DRAW.exponential(0.2, 400),
    "typical": np.minimum(DRAW.exponential(18, 1000), 180),
    "near 180": 180 - DRAW.exponential(0.3, 400),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_median_is_off_by_half_a_degree_at_most(name):
    angles = DISTRIBUTIONS[name]
    found = metrics_of(Normals(), *angled(angles))
    assert abs(found["angle_median"] - np.median(angles)) <= 0.5 + 1e-6
    assert found["angle_mean"] == pytest.approx(angles.mean(), abs=1e-4)


@pytest.mark.parametrize("degrees", [0.0, 1e-4, 1e-3, 0.01, 179.99, 179.999, 180.0])
def test_angles_are_precise_near_0_and_180(degrees):
    prediction, target = (x.float() for x in angled(np.array([degrees])))
    found = metrics_of(Normals(), 7 * prediction, target)["angle_mean"]
    assert found == pytest.approx(degrees, abs=2e-5)


def test_a_prediction_of_length_zero_is_90_degrees_off():
    _, target = angled(np.zeros(4))
    assert metrics_of(Normals(), torch.zeros_like(target), target)["angle_mean"] == 90


@every_task
def test_better_predictions_give_better_numbers(name):
    task, (_, target) = TASKS[name], random_pair(name, 12, batch=4 if TASKS[name].dense else 64)
    generator = torch.Generator().manual_seed(1)
    perfect = truth_of(name, target)
    noise = torch.randn(perfect.shape, generator=generator)
    steps = [metrics_of(task, perfect + scale * noise, target) for scale in (0.0, 0.7, 8.0)]
    for metric in task.metric_table:
        best, middle, worst = (step[metric.name] for step in steps)
        assert (best > middle > worst) if metric.higher_is_better else (best < middle < worst), metric.name
        assert best == pytest.approx(100 if metric.unit == "%" else 0, abs=0.26)  # The median's bin is half a degree.


def test_units_and_names_of_metrics_are_distinct():
    for task in TASKS.values():
        names = [metric.name for metric in task.metric_table]
        assert len(set(names)) == len(names)
        assert len(set(task.statistics_names)) == len(task.statistics_names)

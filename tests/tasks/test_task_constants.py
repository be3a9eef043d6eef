"""The best constant answer of every kind of task against brute force, and the skill that it defines."""

import itertools

import numpy as np
import pytest
import torch
from task_toys import INVALID, TASKS, metrics_of, random_pair, truth_of, valid_pixels

from mtlattack.errors import InputError
from mtlattack.tasks import Metric, Normals, PrincipalCurvature, Segmentation, Task, create_task

every_task = pytest.mark.parametrize("name", TASKS)
seeds = pytest.mark.parametrize("seed", range(3))


def headline_of(task, prediction, target):
    return metrics_of(task, prediction, target)[task.headline]


def sphere(steps=60):
    """Directions of a grid of latitudes and longitudes, `[n, 3]`."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, steps), np.linspace(0, 2 * np.pi, 2 * steps))
    return np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1).reshape(-1, 3)


def least_error(name, target):
    """The least headline error, in float64, of every constant that may be the best: each value that a label has."""
    _, true = valid_pixels(name, target, target)
    if name == "normals":
        true = true / np.linalg.norm(true, axis=1, keepdims=True)
        candidates = np.concatenate([true, sphere()])
        return min(np.degrees(np.arccos((true @ c).clip(-1, 1))).mean() for c in candidates)
    true = true.reshape(len(true), -1)
    weight = 1 / true if name in ("depth", "depth_euclidean") else np.ones_like(true)
    return np.mean([min((np.abs(t - c) * w).mean() for c in t) for t, w in zip(true.T, weight.T, strict=True)])


@seeds
@every_task
def test_no_other_constant_is_better(name, seed):
    task, (_, target) = TASKS[name], random_pair(name, seed)
    constant = task.best_constant([target])
    assert constant.shape == (task.channels,) and constant.dtype == torch.float32
    found = headline_of(task, task.spread(constant, target), target)
    if task.headline_metric.higher_is_better:
        every = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * task.channels)
        answers = every if name == "multilabel" else torch.eye(task.channels)
        others = [headline_of(task, task.spread(one, target), target) for one in answers]
        assert found == max(others) > min(others)
    else:
        assert found <= least_error(name, target) * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_normals_of_few_directions_with_many_local_optima(seed):
    """Walls, floor and a little noise: the mean angle has cusps at the frequent directions."""
    draw = torch.Generator().manual_seed(seed)
    walls = torch.nn.functional.normalize(torch.randn(2 + seed, 3, generator=draw), dim=1)
    chosen = walls[torch.randint(len(walls), (2, 10, 12), generator=draw)].movedim(-1, 1)
    noise = 0.2 * torch.randn(chosen.shape, generator=draw) * (torch.rand(2, 1, 10, 12, generator=draw) < 0.3)
    target = torch.round(127 * torch.nn.functional.normalize(chosen + noise, dim=1)) / 127
    task = Normals()
    found = headline_of(task, task.spread(task.best_constant([target]), target), target)
    assert found <= least_error("normals", target) * (1 + 1e-6)


def test_normals_of_many_directions():
    """More than are compared one by one: the first choice is made on groups, the last on all of them."""
    draw = torch.Generator().manual_seed(3)
    middle = torch.tensor([[0.0, 0, -1], [0.8, 0, -0.6]])[torch.randint(2, (80, 80), generator=draw)].movedim(-1, 0)
    target = torch.nn.functional.normalize(middle + 0.4 * torch.randn(1, 3, 80, 80, generator=draw), dim=1)
    found = Normals().best_constant([target]).double().numpy()
    true = target[0].flatten(1).T.double().numpy()
    near = found + np.random.default_rng(0).normal(0, [[0.2]] * 500 + [[0.01]] * 500 + [[1e-3]] * 500, (1500, 3))
    angles = [np.arccos((true @ (c / np.linalg.norm(c))).clip(-1, 1)).mean() for c in (found, *near, *true[::10])]
    assert angles[0] <= min(angles) * (1 + 1e-6)


def test_the_mean_direction_is_not_the_best_one():
    """Two thirds floor, one third wall: the median is the floor, where the mean leans to the wall."""
    target = torch.tensor([[0.0, 1, 0], [0, 1, 0], [1, 0, 0]]).T.reshape(1, 3, 1, 3)
    assert Normals().best_constant([target]).tolist() == pytest.approx([0, 1, 0], abs=1e-6)


def test_opposite_directions_have_no_mean_but_a_median():
    target = torch.tensor([[0.0, 0, 1], [0, 0, -1]]).T.reshape(1, 3, 1, 2)
    constant = Normals().best_constant([target])
    assert headline_of(Normals(), Normals().spread(constant, target), target) == pytest.approx(90)


def test_medians_by_hand():
    depths = torch.tensor([[[1.0, 1.0, 4.0, 4.0, 4.0, 0.0]]])  # Weights 1, 1 and three times ¼.
    assert create_task("depth").best_constant([depths]).tolist() == [1.0]
    assert create_task("inverse_depth").best_constant([depths]).tolist() == [4.0]
    curvatures = torch.tensor([[[-1.0, 0.0, 0.5]], [[3.0, 2.0, 7.0]]])[None]
    assert PrincipalCurvature().best_constant([curvatures]).tolist() == [0.0, 3.0]


def test_of_equally_frequent_classes_the_first_is_taken():
    labels = torch.tensor([[[3, 1, 1, 3, 255, 255, 255, 0]]])
    assert Segmentation(4).best_constant([labels]).tolist() == [0, 1, 0, 0]


@every_task
def test_batches_and_order_change_nothing(name):
    task, (_, target) = TASKS[name], random_pair(name, 7, batch=6)
    whole = task.best_constant([target])
    for order in ([5, 4, 3, 2, 1, 0], [2, 0, 1, 5, 3, 4]):
        split = itertools.pairwise([0, 1, 4, 6])
        assert torch.equal(task.best_constant(target[order][a:b] for a, b in split), whole)


@every_task
def test_invalid_pixels_change_nothing(name):
    task, (_, target) = TASKS[name], random_pair(name, 5)
    nothing = torch.full_like(target, INVALID[name][0])
    assert torch.equal(task.best_constant([nothing, target]), task.best_constant([target]))


@every_task
def test_labels_without_a_valid_pixel_are_refused(name):
    task, (_, target) = TASKS[name], random_pair(name, 0, batch=3)
    nothing = torch.full_like(target, INVALID[name][-1])
    with pytest.raises(InputError, match=f"{name}: none of the 6 images has a valid pixel"):
        task.best_constant([nothing, nothing])


@seeds
@every_task
def test_skill_is_0_for_the_constant_and_1_for_the_truth(name, seed):
    task, (_, target) = TASKS[name], random_pair(name, seed)
    constant = headline_of(task, task.spread(task.best_constant([target]), target), target)
    assert task.skill(constant, constant) == 0 and not np.signbit(task.skill(constant, constant))
    perfect = headline_of(task, truth_of(name, target), target)
    assert task.skill(perfect, constant) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("scale", [0.05, 50.0])
def test_skill_does_not_know_the_scale_of_logits(scale):
    task, (prediction, target) = TASKS["segmentation"], random_pair("segmentation", 1)
    assert headline_of(task, scale * prediction, target) == headline_of(task, prediction, target)


def test_skill_by_hand_elementwise_with_gaps():
    error, score = Metric("e", "m", False), Metric("s", "%", True, 100.0)
    values = np.array([0.0, 1.0, 2.0, 6.0, np.nan])
    np.testing.assert_allclose(error.skill(values, 2.0), [1, 0.5, 0, -2, np.nan])
    np.testing.assert_allclose(error.skill([1.0, 1.0, 1.0], [4.0, 0.0, np.nan]), [0.75, np.nan, np.nan])
    np.testing.assert_allclose(score.skill([100.0, 40.0, 20.0, 0.0], 20.0), [1, 0.25, 0, -0.25])
    assert np.isnan(score.skill(100.0, 100.0))


@pytest.mark.parametrize(("better", "maximum"), [(True, None), (False, 1.0)])
def test_a_score_has_a_maximum_and_an_error_none(better, maximum):
    with pytest.raises(InputError, match="metric m: maximum"):
        Metric("m", "", better, maximum)


@every_task
def test_headline_and_short_title_name_what_there_is(name):
    task = TASKS[name]
    assert task.headline_metric in task.metric_table and task.headline_metric.name == task.headline
    assert len(task.short_title) <= 11


DENSE_ERRORS = [name for name, row in TASKS.items() if row.dense and not row.headline_metric.higher_is_better]


@seeds
@pytest.mark.parametrize("name", DENSE_ERRORS)
def test_the_constant_of_each_image_has_the_least_loss_on_it(name, seed):
    """Among the values that its labels have, and a grid of directions; images do not feel each other."""
    task, (_, target) = TASKS[name], random_pair(name, seed)
    found = task.constants(target)
    assert found.shape == (len(target), task.channels) and found.dtype == torch.float32
    for own, constant in zip(target.split(1), found, strict=True):
        assert torch.equal(task.constants(own)[0], constant)
        _, values = valid_pixels(name, own, own)
        others = torch.from_numpy(sphere() if name == "normals" else values.reshape(len(values), -1)).float()
        least = min(float(task.loss(task.spread(other, own), own)) for other in others)
        assert float(task.loss(task.spread(constant, own), own)) <= least + 1e-5 * abs(least)


@pytest.mark.parametrize("name", DENSE_ERRORS)
def test_the_constant_of_an_image_without_labels_is_a_number(name):
    task, (_, target) = TASKS[name], random_pair(name, 0)
    target[1] = INVALID[name][0]
    assert task.constants(target).isfinite().all()


@pytest.mark.parametrize("name", DENSE_ERRORS)
def test_a_kind_that_says_nothing_of_its_images_constants_has_those_of_its_headline(name):
    task, (_, target) = TASKS[name], random_pair(name, 0)
    found = Task.constants(task, target)
    expected = torch.stack([task.best_constant([own]) for own in target.split(1)])
    assert torch.equal(found, expected)
    target[1] = INVALID[name][0]
    assert torch.equal(Task.constants(task, target)[1], torch.zeros(task.channels))

"""Losses: their values, their gradients, and what they refuse."""

import pytest
import torch
import torch.nn.functional as F
from task_toys import INVALID, TASKS, lifted, random_pair, valid_pixels

from mtlattack.errors import InputError
from mtlattack.tasks import Classes, Depth, Normals, Segmentation

every_task = pytest.mark.parametrize("name", TASKS)


@every_task
def test_loss_is_the_mean_over_each_images_valid_pixels(name):
    prediction, target = random_pair(name, 1)
    losses = TASKS[name].loss(prediction, target)
    assert losses.shape == (4,) and torch.equal(losses > 0, TASKS[name].statistics(prediction, target)[:, 0] > 0)
    for i in range(4):
        p, t = (torch.from_numpy(x) for x in valid_pixels(name, prediction[[i]], target[[i]]))
        if isinstance(TASKS[name], Classes):
            expected = F.cross_entropy(p, t.long()) if len(t) else 0
        elif name == "multilabel":
            expected = F.binary_cross_entropy(p[:, 0].sigmoid(), t)
        elif name == "normals":
            expected = (1 - F.cosine_similarity(p, t)).mean()
        else:
            expected = (p - t.view(p.shape)).abs().mean() if len(t) else 0
        assert float(losses[i]) == pytest.approx(float(expected), rel=1e-5)


@every_task
def test_gradients_are_those_of_finite_differences(name):
    prediction, target = random_pair(name, 2, batch=2, size=(3, 4))
    target = target if isinstance(TASKS[name], Classes) else target.double()
    assert torch.autograd.gradcheck(lambda p: TASKS[name].loss(p, target), prediction.double().requires_grad_())


@every_task
@pytest.mark.parametrize("at_zero", [False, True])
def test_an_image_without_valid_pixels_has_loss_0_and_gradient_0(name, at_zero):
    prediction, target = random_pair(name, 0)
    for value in INVALID[name]:
        blank = target.clone()
        blank[1] = value
        p = (prediction * (not at_zero)).clone().requires_grad_()
        losses = TASKS[name].loss(p, blank)
        assert losses[1] == 0 and losses.isfinite().all()
        losses.sum().backward()
        assert not p.grad[1].any() and p.grad.isfinite().all()
        assert all(p.grad[i].any() for i in (0, 2, 3))


@every_task
def test_gradient_is_0_on_invalid_pixels_alone(name):
    prediction, target = random_pair(name, 4)
    p = prediction.clone().requires_grad_()
    TASKS[name].loss(p, target).sum().backward()
    moved = lifted(TASKS[name], p.grad).abs().sum(1) > 0
    assert p.grad.isfinite().all()
    assert int(moved.sum()) == len(valid_pixels(name, prediction, target)[1]) < moved.numel()


@every_task
def test_an_images_loss_does_not_depend_on_its_batch(name):
    prediction, target = random_pair(name, 5)
    alone = torch.cat([TASKS[name].loss(prediction[[i]], target[[i]]) for i in range(4)])
    assert torch.allclose(alone, TASKS[name].loss(prediction, target), rtol=1e-6)


def test_normals_loss_ignores_the_length_of_predictions_and_stays_non_negative():
    prediction, target = random_pair("normals", 6)
    losses = Normals().loss(prediction, target)
    assert torch.allclose(Normals().loss(100 * prediction, target), losses, rtol=1e-5)
    perfect = Normals().loss(3.3 * target, target)
    assert (perfect >= 0).all() and (perfect < 1e-6).all()
    zero = torch.zeros_like(prediction).requires_grad_()
    Normals().loss(zero, target).sum().backward()
    assert zero.grad.isfinite().all()


@every_task
@pytest.mark.parametrize("method", ["loss", "statistics"])
def test_wrong_shapes_are_refused_with_task_and_shapes(name, method):
    task, (prediction, target) = TASKS[name], random_pair(name, 7)
    call = getattr(task, method)
    expected = f"expected {(4, *task.prediction_shape((7, 9)))}"
    aside = (prediction[..., :5], prediction.transpose(2, 3)) if task.dense else (prediction[..., None, None],)
    for wrong in (prediction[:3], torch.cat([prediction, prediction], 1), prediction[:, 0], *aside):
        with pytest.raises(InputError) as error:
            call(wrong, target)
        assert str(error.value).startswith(f"{name}: ")
        assert str(tuple(wrong.shape)) in str(error.value) and expected in str(error.value)
    flat = (target.flatten(),) if task.dense else ()
    for wrong in (target.unsqueeze(1), target[0], *flat):
        with pytest.raises(InputError, match=f"{name}: target has shape .*expected .B,"):
            call(prediction, wrong)


def test_the_labels_of_another_task_are_refused():
    normals = random_pair("normals", 8)[1]
    with pytest.raises(InputError, match="depth: target has shape"):
        Depth().loss(torch.zeros(4, 1, 7, 9), normals)


def test_ignore_may_be_any_number():
    prediction, target = random_pair("segmentation", 9)
    for ignore in (-1, 0, 99):
        moved = torch.where(target == 255, ignore, torch.where(target == ignore, 1, target))
        task = Segmentation(5, ignore=ignore)
        assert torch.equal(task.statistics(prediction, moved)[:, 0].long(), (moved != ignore).sum((1, 2)))
        assert torch.allclose(
            task.loss(prediction, moved),
            Segmentation(5).loss(prediction, torch.where(moved == ignore, 255, moved)),
        )


@every_task
def test_a_large_image_does_not_feel_its_batch_where_sums_are_split_over_threads(name):
    prediction, target = random_pair(name, 5, batch=3, size=(256, 256))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        for measure in (TASKS[name].loss, TASKS[name].statistics):
            alone = [measure(prediction[[i]], target[[i]]) for i in range(3)]
            assert torch.equal(torch.cat(alone), measure(prediction, target))
    finally:
        torch.set_num_threads(threads)

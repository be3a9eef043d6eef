"""Losses, their gradients and statistics against the same written in the plainest way: equal to the last bit.

The tasks avoid what torch does slowly; these formulas do not. Rows of the leaderboard rest on the two being one.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from task_toys import INVALID, POSITIVE, TASKS, random_pair
from torch import Tensor

from mtlattack.tasks import Depth, Segmentation, Task
from mtlattack.tasks.base import is_finite

DENSE = {name: task for name, task in TASKS.items() if task.dense}
CASES: dict[str, Task] = DENSE | {"segmentation of 20": Segmentation(20), "segmentation without 1": Segmentation(5, 1)}
every_case = pytest.mark.parametrize("case", CASES)
LAYOUTS: dict[str, torch.memory_format] = {"planes": torch.contiguous_format, "channels-last": torch.channels_last}
every_layout = pytest.mark.parametrize("layout", LAYOUTS)
_NAN, _INF = float("nan"), float("inf")


def plain_valid(task: Task, target: Tensor) -> Tensor:
    if isinstance(task, Segmentation):
        return target != task.ignore
    finite = torch.isfinite(target)
    if task.kind in POSITIVE:
        return finite & (target > 0)
    if task.kind == "normals":
        return finite.all(1) & (target != 0).any(1)
    return finite.all(1) if task.target_channels else finite


def plain_known(task: Task, prediction: Tensor, target: Tensor) -> Tensor:
    valid = plain_valid(task, target)
    return torch.where(valid[:, None], target.reshape(prediction.shape), 0.0)


def plain_length(vectors: Tensor) -> Tensor:
    return (vectors * vectors).sum(1).clamp_min(1e-12).sqrt()


def plain_loss(task: Task, prediction: Tensor, target: Tensor) -> Tensor:
    valid = plain_valid(task, target)
    if isinstance(task, Segmentation):
        values = F.cross_entropy(prediction, target, ignore_index=task.ignore, reduction="none")
    elif task.kind == "normals":
        true = plain_known(task, prediction, target)
        values = 1 - (prediction * true).sum(1) / (plain_length(prediction) * plain_length(true))
    else:
        values = (prediction - plain_known(task, prediction, target)).abs().mean(1)
    loss = torch.where(valid, values, 0.0).sum(2).sum(1) / valid.sum((1, 2)).clamp_min(1)
    return loss.clamp_min(0) if task.kind == "normals" else loss


def plain_statistics(task: Task, prediction: Tensor, target: Tensor) -> Tensor:
    valid = plain_valid(task, target)
    if isinstance(task, Segmentation):
        guess = prediction.argmax(1)
        sets = [(valid & (guess == c), valid & (target == c)) for c in range(task.classes)]
        hits = [a & b for a, b in sets], [a & ~b for a, b in sets], [b & ~a for a, b in sets]
        return torch.stack([x.sum((1, 2)) for x in (valid, *hits[0], *hits[1], *hits[2])], 1).float()
    true = plain_known(task, prediction, target)
    if task.kind == "normals":
        angle = plain_angle(prediction, true)
        bins = (2 * angle).long().clamp_max(359)
        columns = [torch.ones_like(angle), angle, *(angle <= limit for limit in (11.25, 22.5, 30.0))]
        columns += [bins == k for k in range(360)]
    else:
        error = (prediction - true).abs().mean(1)
        columns = [torch.ones_like(error), error]
        if task.kind in POSITIVE:
            columns += plain_ratios(task, prediction[:, 0], torch.where(valid, target, 1.0), error)
    return torch.stack([torch.where(valid, column, 0).sum(2).sum(1).float() for column in columns], 1)


def plain_angle(prediction: Tensor, true: Tensor) -> Tensor:
    (ax, ay, az), (bx, by, bz) = prediction.unbind(1), true.unbind(1)
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    angle = torch.rad2deg(torch.atan2((x * x + y * y + z * z).sqrt(), (prediction * true).sum(1)))
    return torch.where((prediction == 0).all(1), 90.0, angle)


def plain_ratios(task: Task, guess: Tensor, true: Tensor, error: Tensor) -> list[Tensor]:
    if task.kind == "inverse_depth":
        return [error / true]
    positive = guess > 0
    ratio = torch.where(positive, torch.maximum(guess / true, true / torch.where(positive, guess, 1.0)), torch.inf)
    return [error / true, error**2, *(ratio <= 1.25**k for k in (1, 2, 3))]


def spoilt(case: str, seed: int, batch: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """A random pair with what is rare: zeros of both signs, the smallest and large floats, ties, right predictions,
    values on the limits of what counts as near, and an image without a valid pixel."""
    task = CASES[case]
    prediction, target = random_pair(task.kind, seed, batch, size)
    generator = torch.Generator().manual_seed(seed)
    if isinstance(task, Segmentation):
        prediction = torch.randn(batch, task.classes, *size, generator=generator).mul_(2).round_()
        target = torch.where(target == 255, task.ignore, target)
    draw = torch.rand(batch, 1, *size, generator=generator).expand_as(prediction)
    alike = prediction if isinstance(task, Segmentation) else target.reshape(prediction.shape).nan_to_num(0, 0, 0)
    rare = [0.0, -0.0, 1e-45, -1e-45, 1e-30, -1e-30, 1e15, -1e15, alike, -alike, 1.25 * alike, alike / 1.25]
    rare += [1.25**2 * alike, alike / 1.25**2, 1e-44 * alike, 3e-23 * alike]
    for k, value in enumerate(rare):
        prediction = torch.where((draw >= k / 40) & (draw < (k + 1) / 40), value, prediction)
    if case == "normals":
        target = torch.where(torch.rand(target.shape, generator=generator) < 0.02, _NAN, target)
        target = torch.where(torch.rand(target.shape, generator=generator) < 0.02, -_INF, target)
        target = torch.where(torch.rand(target.shape, generator=generator) < 0.2, -0.0, target)
        target[:, :, :, -1:] *= 1e-30
    if batch > 1:
        target[-1] = task.ignore if isinstance(task, Segmentation) else INVALID[task.kind][0]
    return prediction, target


def gradient(
    loss: Callable[[Tensor, Tensor], Tensor], prediction: Tensor, target: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """The losses, and the gradient of their weighted sum."""
    leaf = prediction.detach().requires_grad_()
    losses = loss(leaf, target)
    return losses.detach(), torch.autograd.grad((weights * losses).sum(), leaf)[0]


def check(case: str, prediction: Tensor, target: Tensor) -> None:
    task = CASES[case]
    weights = torch.rand(len(prediction), generator=torch.Generator().manual_seed(0))
    (losses, found), (plain, expected) = (
        gradient(loss, prediction, target, weights) for loss in (task.loss, lambda p, t: plain_loss(task, p, t))
    )
    np.testing.assert_array_equal(losses, plain)
    np.testing.assert_array_equal(found, expected)
    assert found.stride() == expected.stride()
    if task.kind != "normals" or prediction.isfinite().all():  # What is not finite may have an angle without a bin.
        found = task.statistics(prediction, target)
        assert found.dtype == torch.float32
        np.testing.assert_array_equal(found, plain_statistics(task, prediction, target))


@every_case
@every_layout
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (33, 40)])
@pytest.mark.parametrize("seed", range(2))
def test_they_are_those_of_the_plain_formulas(case, layout, batch, size, seed):
    prediction, target = spoilt(case, seed, batch, size)
    check(case, prediction.contiguous(memory_format=LAYOUTS[layout]), target)


@every_case
@every_layout
def test_each_image_alone_gives_what_it_gives_in_its_batch(case, layout):
    task, (prediction, target) = CASES[case], spoilt(case, 7, 5, (33, 40))
    prediction = prediction.contiguous(memory_format=LAYOUTS[layout])
    losses, found = gradient(task.loss, prediction, target, torch.ones(5))
    statistics = task.statistics(prediction, target)
    for i in range(5):
        loss, alone = gradient(task.loss, prediction[[i]], target[[i]], torch.ones(1))
        assert torch.equal(loss[0], losses[i]) and torch.equal(alone[0], found[i])
        assert torch.equal(task.statistics(prediction[[i]], target[[i]])[0], statistics[i])


@every_case
@pytest.mark.parametrize("value", [_NAN, _INF, -_INF])
def test_predictions_that_are_not_finite_spoil_what_they_spoil_in_the_plain_formulas(case, value):
    prediction, target = spoilt(case, 8, 4, (7, 9))
    hit = torch.rand(prediction.shape, generator=torch.Generator().manual_seed(8)) < 0.02
    hit[2] = hit[2] & ~plain_valid(CASES[case], target)[2]  # One image is hit where nothing counts.
    hit[0, 0, 3, 4] = True
    check(case, torch.where(hit, value, prediction), target)


@every_case
def test_similarity_of_what_counts_does_not_feel_what_does_not(case):
    task, (prediction, target) = CASES[case], spoilt(case, 9, 4, (7, 9))
    valid = plain_valid(task, target)
    found = task.similarity(prediction, target)
    assert found.isfinite().all()
    if not isinstance(task, Segmentation):
        cleaned = plain_known(task, prediction, target).reshape(target.shape)
        assert torch.equal(found[valid], task.similarity(prediction, cleaned)[valid])


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.int64, torch.uint8])
def test_finite_is_what_torch_calls_finite(dtype):
    values = torch.tensor([0.0, 1.0, 7.0, 250.0]).to(dtype)
    if dtype.is_floating_point:
        limits = torch.finfo(dtype)
        extremes = [-0.0, limits.max, limits.min, limits.smallest_normal, _NAN, _INF, -_INF]
        values = torch.cat([values, torch.tensor(extremes, dtype=dtype)])
    before = values.clone()
    assert torch.equal(is_finite(values), torch.isfinite(values))
    assert torch.equal(values.nan_to_num(-1), before.nan_to_num(-1))


class Signed(Depth):
    """A user's own: heights, which may be negative, and a number that marks what is unknown."""

    def valid(self, target: Tensor) -> Tensor:
        return target.isfinite() & (target < 1e30)


def test_a_task_with_another_idea_of_what_is_valid_is_taken_at_its_word():
    task, generator = Signed(), torch.Generator().manual_seed(0)
    prediction, target = (torch.randn(*shape, generator=generator) for shape in ((2, 1, 4, 5), (2, 4, 5)))
    target[0, 0, :3] = torch.tensor([_NAN, 1e31, -_INF])
    valid = torch.isfinite(target) & (target < 1e30)
    error = torch.where(valid, (prediction[:, 0] - target).abs(), 0.0)
    torch.testing.assert_close(task.loss(prediction, target), error.sum((1, 2)) / valid.sum((1, 2)))
    torch.testing.assert_close(task.statistics(prediction, target)[:, 1], error.sum((1, 2)))
    assert task.similarity(prediction, target).isfinite().all()


def test_one_normal_for_a_whole_image_has_a_gradient():
    task = TASKS["normals"]
    _, target = random_pair("normals", 2)
    vector = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    gradients = [
        torch.autograd.grad(task.loss(form(vector[:, :, None, None].expand_as(target)), target).sum(), vector)[0]
        for form in (lambda spread: spread, Tensor.contiguous)
    ]
    assert gradients[0].any()
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("case", [name for name in DENSE if name != "segmentation"])
def test_torch_func_gives_the_same_gradient(case):
    task = TASKS[case]
    prediction, target = random_pair(case, 2)
    prediction = prediction.contiguous(memory_format=torch.channels_last).requires_grad_()
    (expected,) = torch.autograd.grad(task.loss(prediction, target).sum(), prediction)
    found = torch.func.grad(lambda x: task.loss(x, target).sum())(prediction.detach())
    assert torch.equal(found, expected)

"""Measuring a batch: what the tasks compute, read back from the device once, whatever there is to measure."""

import numpy as np
import pytest
import torch
from kind_toys import draw_target, every_task, of_shape
from sync_toys import Waits
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.evaluation import judge, judging
from mtlattack.evidence import DIAGNOSTICS
from mtlattack.tasks import Depth, Task

TASKS = every_task()


class Echo(nn.Module):
    """Predicts each task as channels of the images, repeated; in training mode it predicts nothing but zeros."""

    def __init__(self, tasks: dict[str, Task], spoil: str = "", value: float = torch.nan) -> None:
        super().__init__()
        self.tasks, self.spoil, self.value = tasks, spoil, value

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        predictions = {
            name: (0.0 if self.training else 1.0) * of_shape(task, images.repeat(1, 5, 1, 1)[:, : task.channels])
            for name, task in self.tasks.items()
        }
        if self.spoil:
            predictions[self.spoil][-1].view(-1)[0] = self.value
        return predictions


def batch_of(images: int, seed: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    targets = {name: draw_target(task, images, (8, 9), generator) for name, task in TASKS.items()}
    return torch.rand(images, 3, 8, 9, generator=generator), targets


def test_numbers_are_those_of_the_tasks() -> None:
    images, targets = batch_of(3)
    clean = (images + 0.05 * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    model = Echo(TASKS).eval()
    measured, predictions = judge(model, images, targets, clean), model(images)
    assert list(measured.statistics) == list(TASKS)
    for column, (name, task) in enumerate(TASKS.items()):
        losses, statistics = (f(predictions[name], targets[name]).numpy() for f in (task.loss, task.statistics))
        np.testing.assert_array_equal(measured.losses[:, column], losses)
        np.testing.assert_array_equal(measured.statistics[name], statistics)
    delta = (images.double() - clean.double()).flatten(1).numpy()
    np.testing.assert_array_equal(measured.perturbation[:, 0], np.abs(delta).max(1))
    np.testing.assert_allclose(measured.perturbation[:, 1], np.sqrt((delta**2).sum(1)), rtol=1e-12)
    np.testing.assert_allclose(measured.perturbation[:, 2], np.abs(delta).sum(1), rtol=1e-12)
    assert measured.perturbation[:, 3].tolist() == (images != clean).any(1).sum((1, 2)).tolist()
    assert np.isnan(measured.diagnostics).all()
    noted = {"gap": torch.tensor([1e-3, 0.0, 2.0])}
    again = judge(model, images, targets, clean, noted).diagnostics
    np.testing.assert_allclose(again[:, DIAGNOSTICS.index("gap")], [1e-3, 0, 2], rtol=1e-6)
    assert np.isnan(again).sum() == 3 * (len(DIAGNOSTICS) - 1)
    assert measured.losses.dtype == measured.perturbation.dtype == np.float64


@pytest.mark.parametrize("images", [1, 2, 7])
@pytest.mark.parametrize("tasks", [["depth"], ["segmentation"], list(TASKS)], ids=len)
def test_a_batch_is_waited_for_once(tasks: list[str], images: int) -> None:
    pixels, targets = batch_of(images)
    model = Echo({name: TASKS[name] for name in tasks})
    with Waits() as waits:
        judge(model, pixels, targets, pixels)
    assert waits.count == 1


def test_each_images_numbers_are_its_own() -> None:
    images, targets = batch_of(5)
    together = judge(Echo(TASKS), images, targets, images)
    for i in range(5):
        alone = judge(Echo(TASKS), images[[i]], {k: v[[i]] for k, v in targets.items()}, images[[i]])
        np.testing.assert_allclose(alone.losses[0], together.losses[i], rtol=1e-6)
        for name, values in alone.statistics.items():
            np.testing.assert_allclose(values[0], together.statistics[name][i], rtol=1e-6)


def test_model_is_in_eval_mode_and_left_as_it_was() -> None:
    images, targets = batch_of(2)
    model = Echo(TASKS).train()
    measured = judge(model, images, targets, images)
    assert model.training
    np.testing.assert_array_equal(measured.losses, judge(model.eval(), images, targets, images).losses)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("task", TASKS)
def test_a_single_value_that_is_not_finite_is_named(task: str, value: float) -> None:
    images, targets = batch_of(3)
    with pytest.raises(InputError, match=f"^the model's prediction of {task} is not finite$"):
        judge(Echo(TASKS, spoil=task, value=value), images, targets, images)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("images", [1, 5])
def test_sizes_of_perturbations_are_float64_sums_over_planes(images: int, layout: torch.memory_format) -> None:
    clean, targets = batch_of(images, seed=2)
    clean[0, :, 0, 0], clean[:, 1] = 1e-45, 0.0
    changed = clean + 0.05 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(3))
    changed = torch.where(torch.rand(images, 1, 8, 9, generator=torch.Generator().manual_seed(4)) < 0.5, clean, changed)
    changed[0, :, 0, 0], changed[-1, :, 1] = 0.0, clean[-1, :, 1]
    delta = (changed.double() - clean.double()).abs()
    flat = delta.flatten(1)
    pixels = delta.amax(1).count_nonzero((1, 2)).double()
    expected = torch.stack([flat.amax(1), flat.norm(dim=1), flat.sum(1), pixels], 1)
    laid_out = changed.contiguous(memory_format=layout), clean.contiguous(memory_format=layout)
    before = [x.clone() for x in laid_out]
    measured = judge(Echo({"depth": Depth()}), laid_out[0], targets, laid_out[1])
    np.testing.assert_array_equal(measured.perturbation, expected)
    wide = [x.double() for x in laid_out]
    np.testing.assert_array_equal(judging._norms(*wide), expected)
    assert all(torch.equal(x, y) for x, y in zip([*laid_out, *wide], [*before, *before], strict=True))


def test_predictions_of_several_precisions_and_layouts_are_measured_together() -> None:
    class Mixed(Echo):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            predictions = super().forward(images.contiguous(memory_format=torch.channels_last))
            types = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
            return {name: x.to(types[k % 4]) for k, (name, x) in enumerate(predictions.items())}

    images, targets = batch_of(3)
    measured, predictions = judge(Mixed(TASKS), images, targets, images), Mixed(TASKS).eval()(images)
    for column, (name, task) in enumerate(TASKS.items()):
        losses = task.loss(predictions[name].float(), targets[name])
        np.testing.assert_array_equal(measured.losses[:, column], losses)
    for name in TASKS:
        with pytest.raises(InputError, match=f"^the model's prediction of {name} is not finite$"):
            judge(Mixed(TASKS, spoil=name), images, targets, images)


def test_predictions_of_a_lower_precision_are_measured_in_float32() -> None:
    class Low(Echo):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            return {name: value.bfloat16() for name, value in super().forward(images).items()}

    images, targets = batch_of(2)
    model = Low({"depth": Depth()}).eval()
    expected = Depth().loss(model(images)["depth"].float(), targets["depth"]).numpy()
    np.testing.assert_array_equal(judge(model, images, targets, images).losses[:, 0], expected)

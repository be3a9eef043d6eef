"""Tasks on another device than the CPU, without one: shapes alone are computed, and no operation may mix devices."""

import pytest
import torch
from device_toys import META, HostFloat64, MixedDevicesError, OneDevice
from task_toys import ROWS, TASKS, random_pair, valid_places
from torch import Tensor


def elsewhere(name: str) -> tuple[Tensor, Tensor]:
    prediction, target = random_pair(name, 0)
    return prediction.to(META), target.to(META)


@pytest.mark.parametrize("name", TASKS)
def test_losses_and_their_gradients_stay_on_the_device(name: str) -> None:
    prediction, target = elsewhere(name)
    prediction.requires_grad_()
    with OneDevice():
        loss = TASKS[name].loss(prediction, target)
        (gradient,) = torch.autograd.grad(loss.sum(), prediction)
        losses, valid = TASKS[name].pixel_losses(prediction, target)
    batch, height, width = valid_places(ROWS[name], random_pair(name, 0)[1]).shape
    assert (loss.device, loss.shape) == (META, (batch,))
    assert (gradient.device, gradient.shape) == (META, prediction.shape)
    assert (losses.device, losses.shape) == (META, (batch, height, width))
    assert (valid.device, valid.shape, valid.dtype) == (META, (batch, height, width), torch.bool)


@pytest.mark.parametrize("name", TASKS)
def test_statistics_and_similarity_stay_on_the_device(name: str) -> None:
    prediction, target = elsewhere(name)
    with OneDevice(), torch.inference_mode():
        statistics = TASKS[name].statistics(prediction, target)
        similarity = TASKS[name].similarity(prediction, target)
    batch, height, width = valid_places(ROWS[name], random_pair(name, 0)[1]).shape
    assert (statistics.device, statistics.dtype) == (META, torch.float32)
    assert statistics.shape == (batch, len(TASKS[name].statistics_names))
    assert (similarity.device, similarity.shape) == (META, (batch, height, width))


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("what", ["loss", "pixel_losses", "statistics", "similarity"])
def test_a_target_that_was_left_behind_is_seen(name: str, what: str) -> None:
    prediction, target = random_pair(name, 0)
    with pytest.raises(MixedDevicesError), OneDevice():
        getattr(TASKS[name], what)(prediction.to(META), target)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("what", ["loss", "pixel_losses", "statistics", "similarity", "look", "fault"])
def test_float64_is_on_the_host_alone(name: str, what: str) -> None:
    prediction, target = random_pair(name, 0)
    with HostFloat64():
        getattr(TASKS[name], what)(*([target] if what == "fault" else [prediction, target]))
    if what == "loss":
        with pytest.raises(TypeError, match="MPS"), HostFloat64():
            prediction.double()

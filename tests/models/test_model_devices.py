"""Models on another device than the CPU, without one: shapes alone are computed, and no operation may mix devices."""

from collections.abc import Callable

import pytest
import torch
from device_toys import META, MixedDevicesError, OneDevice
from model_toys import random_images, tiny_network
from preparing_toys import Plain, Predictions
from torch import Tensor, nn

from mtlattack.models import PreparedModel, lower_precision, prepare_for_attack, wrap
from mtlattack.tasks import Depth


def wrapped() -> nn.Module:
    options = {"channel_order": "BGR", "value_range": (0, 255), "size_multiple": 32}
    return wrap(Plain(), {"depth": Depth()}, mean=[100.0] * 3, std=[50.0] * 3, features="conv", **options)  # type: ignore[arg-type]


MODELS: dict[str, Callable[[], nn.Module]] = {
    "shared": tiny_network,
    "separate": lambda: tiny_network("separate"),
    "deconv": lambda: tiny_network(head="deconv"),
    "atrous": lambda: tiny_network(head="atrous"),
    "mtan": lambda: tiny_network(sharing="mtan"),
    "wrapped": wrapped,
    "plain": Plain,
}


@pytest.fixture
def prepared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PreparedModel:
    """A model made ready on the device; whether its copies agree cannot be told there."""
    monkeypatch.setattr("mtlattack.models.prepared.preparing.are_close", lambda value, expected: True)
    with OneDevice():
        return prepare_for_attack(MODELS[request.param]().eval(), random_images().to(META))


@pytest.mark.parametrize("name", MODELS)
def test_predictions_and_gradients_stay_on_the_device(name: str) -> None:
    check(MODELS[name]().eval().to(META))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("prepared", MODELS, indirect=True)
def test_models_are_made_ready_on_the_device(prepared: PreparedModel) -> None:
    assert prepared.folded > 0 and prepared.channels_last
    assert {tensor.device for tensor in (*prepared.parameters(), *prepared.buffers())} == {META}
    check(prepared)


@pytest.mark.parametrize("prepared", ["shared", "wrapped"], indirect=True)
def test_models_are_cast_on_the_device(prepared: PreparedModel) -> None:
    with OneDevice():
        low = lower_precision(prepared)
    assert torch.bfloat16 in {p.dtype for p in low.parameters()} and {p.device for p in low.parameters()} == {META}
    check(low)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("prepared", ["shared", "mtan", "wrapped"], indirect=True)
def test_shared_features_stay_on_the_device(prepared: PreparedModel) -> None:
    images = random_images().to(META).requires_grad_()
    with OneDevice():
        features = prepared.shared_features(images)
        (gradient,) = torch.autograd.grad(features.sum(), images)
    assert (features.device, gradient.device, gradient.shape) == (META, META, images.shape)


def test_a_fault_is_seen() -> None:
    class Faulty(Plain):
        def forward(self, images: Tensor) -> Predictions:
            return super().forward(images + torch.zeros(3, 1, 1))

    with pytest.raises(MixedDevicesError):
        check(Faulty().to(META))


def check(model: nn.Module) -> None:
    """One forward and one backward pass, all of them on the device."""
    images = random_images().to(META).requires_grad_()
    with OneDevice():
        predictions = model(images)
        (gradient,) = torch.autograd.grad(sum(value.sum() for value in predictions.values()), images)
    assert {value.device for value in predictions.values()} == {META}
    assert {value.shape[-2:] for value in predictions.values()} == {images.shape[-2:]}
    assert (gradient.device, gradient.shape, gradient.dtype) == (META, images.shape, torch.float32)

"""What a run ran on: devices by name, and the identity of weights."""

import copy

import pytest
import torch
from evaluation_toys import Fickle
from torch import nn

from mtlattack.devices import choose_device
from mtlattack.errors import InputError
from mtlattack.evaluation.environment import describe_model, numeric_environment, weights_digest
from mtlattack.models import MultiTaskNetwork, wrap
from mtlattack.tasks import Depth


def test_default_device_is_the_best_there_is() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device().type == best


@pytest.mark.parametrize("name", ["gpu", "", "cpu:x", "cuda cuda"])
def test_unknown_device(name: str) -> None:
    with pytest.raises(InputError, match=f"unknown device {name!r}; here: cpu"):
        choose_device(name)


@pytest.mark.parametrize("name", ["cuda:99", "meta", "xpu"])
def test_device_that_is_not_here(name: str) -> None:
    with pytest.raises(InputError, match=f"device {name!r} is not here; here: cpu"):
        choose_device(name)


def test_digest_changes_with_any_weight(network: MultiTaskNetwork) -> None:
    before = weights_digest(network)
    assert weights_digest(copy.deepcopy(network)) == before
    seen = {before}
    for tensor in network.state_dict().values():
        last = tensor.view(-1)[-1:]
        last += 1
        seen.add(weights_digest(network))
        last -= 1
    assert len(seen) == 1 + len(network.state_dict())


def test_digest_does_not_depend_on_the_mode(network: MultiTaskNetwork) -> None:
    before = weights_digest(network.eval())
    assert weights_digest(network.train().requires_grad_(False)) == before
    assert weights_digest(network.to(memory_format=torch.channels_last)) == before  # type: ignore[call-overload]


def test_digest_sees_dtype_and_normalisation(network: MultiTaskNetwork) -> None:
    assert weights_digest(copy.deepcopy(network).double()) != weights_digest(network)
    layer, tasks = nn.Conv2d(3, 1, 1), {"depth": Depth()}
    one, two = (wrap(layer, tasks, mean=[m] * 3, std=[1.0] * 3, outputs={"depth": 0}) for m in (0.4, 0.5))
    assert weights_digest(one) != weights_digest(two)


def test_description(network: MultiTaskNetwork) -> None:
    described = describe_model(network, "mine")
    assert described == {
        "name": "mine",
        "sha256": weights_digest(network),
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    assert describe_model(Fickle(network))["name"] == "Fickle"
    assert numeric_environment(torch.device("cpu"))["threads"] == torch.get_num_threads()

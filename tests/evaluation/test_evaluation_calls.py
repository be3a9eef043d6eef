"""What a model's calls say of it: rounding is no dependence, and looking at a model leaves no trace."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from trust_toys import BatchStatistics, Noisy

from mtlattack.analysis.trust.calls import TOLERANCE
from mtlattack.data import Batch
from mtlattack.evaluation.calls import compare_calls
from mtlattack.models import MultiTaskNetwork
from mtlattack.tasks import Depth


class Shaken(nn.Module):
    """Depth with an offset, which depends by `amount` on the batch and, if it counts, on how often it was called."""

    def __init__(self, amount: float, offset: float = 0.0, counts: bool = False) -> None:
        super().__init__()
        self.tasks, self.amount, self.offset, self.counts, self.calls = {"depth": Depth()}, amount, offset, counts, 0

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        self.calls += 1
        shaken = self.amount * (self.calls if self.counts else len(images))
        return {"depth": self.offset + images[:, :1] / images.amax() + shaken}


def images(count: int = 3) -> Tensor:
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def calls(model: Any, count: int = 3) -> dict[str, Any]:
    found = compare_calls(model, images(count))
    assert found is not None
    return found


def test_healthy_network_differs_by_rounding(trained: MultiTaskNetwork, batch: Batch) -> None:
    found = compare_calls(trained, batch.images)
    assert found is not None and found["images"] == 2
    assert found["again"] <= TOLERANCE / 10 and found["alone"] <= TOLERANCE / 10


@pytest.mark.parametrize("amount", [0.0, 1e-5, 1e-2])
def test_differences_are_counted_in_the_range_of_the_predictions(amount: float) -> None:
    """Without the shaking they cover about [0, 1]."""
    found = calls(Shaken(amount, counts=True))
    assert found["again"] == pytest.approx(amount, rel=0.2, abs=1e-6)


def test_rounding_of_an_offset_is_no_dependence() -> None:
    """An offset of 10⁵ leaves two digits after the point."""
    found = calls(Shaken(0, offset=1e5))
    assert found["again"] == 0 and calls(Shaken(1e-3, offset=1e5, counts=True))["again"] < TOLERANCE
    assert calls(Shaken(1e3, offset=1e5, counts=True))["again"] > TOLERANCE


def test_sick_models(trained: MultiTaskNetwork, batch: Batch) -> None:
    dependent, noisy = (compare_calls(model(trained), batch.images) for model in (BatchStatistics, Noisy))
    assert dependent is not None and dependent["alone"] > TOLERANCE >= dependent["again"]
    assert noisy is not None and noisy["again"] > TOLERANCE


def test_one_image_has_no_batch() -> None:
    assert calls(Shaken(1.0), 1) == {"images": 1, "again": 0.0, "alone": None, "without_gradient": [], "looks": {}}


@pytest.mark.parametrize("cut", [lambda depth: depth.detach(), lambda depth: (20 * depth).round() / 20])
def test_a_prediction_that_no_gradient_comes_through_is_named(
    cut: Callable[[Tensor], Tensor], trained: MultiTaskNetwork, batch: Batch
) -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.tasks = trained, trained.tasks

        def forward(self, images: Tensor) -> dict[str, Tensor]:
            predictions = self.network(images)
            return predictions | {"depth": cut(predictions["depth"])}

    found = compare_calls(Cut(), batch.images)
    assert found is not None and found["without_gradient"] == ["depth"]
    assert (found["again"], found["alone"]) < (TOLERANCE, 1.0)
    healthy = compare_calls(trained, batch.images)
    assert healthy is not None and healthy["without_gradient"] == []


def test_looking_leaves_no_trace(trained: MultiTaskNetwork, batch: Batch) -> None:
    model = Noisy(copy.deepcopy(trained)).train()  # The network is shared by all tests.
    before, state = torch.get_rng_state(), {name: value.clone() for name, value in model.state_dict().items()}
    compare_calls(model, batch.images)
    assert torch.equal(torch.get_rng_state(), before) and model.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_what_chance_does_to_a_model_is_the_same_in_every_run(trained: MultiTaskNetwork, batch: Batch) -> None:
    found = [compare_calls(Noisy(trained), batch.images) for _ in range(2)]
    assert found[0] is not None and found[0]["again"] > TOLERANCE and found[0] == found[1]


@pytest.mark.parametrize("error", [RuntimeError("no"), torch.OutOfMemoryError("out of memory"), KeyError("depth")])
def test_a_model_that_fails_is_left_to_the_run(error: Exception) -> None:
    class Failing(Shaken):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            raise error

    assert compare_calls(Failing(0), images()) is None


def test_what_is_not_finite_is_the_runs_to_say() -> None:
    found = calls(Shaken(float("nan")))
    assert (found["again"], found["alone"]) == (0.0, 0.0)

"""Passes replayed as CUDA graphs: predictions and gradients of the prepared model, whatever the order of passes."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from graph_toys import DEVICES, Counting, Graph, Pool, record_for, record_on_cpu, recording
from model_toys import TASKS, random_images, tiny_network
from preparing_toys import Plain, Predictions
from torch import Tensor, nn

from mtlattack.models import GraphedModel, PreparedModel, lower_precision, prepare_for_attack
from mtlattack.models.prepared.frozen import freeze_layers

Both = tuple[PreparedModel, GraphedModel, Counting]


@cache
def tiny(device: str) -> PreparedModel:
    return prepare_for_attack(tiny_network(), random_images().to(device))


def graphed_and_not(device: str, prepared: PreparedModel | None = None) -> Both:
    """A model with and without graphs, and how often these are replayed."""
    images = random_images().to(device)
    prepared = prepared or tiny(device)
    counting = Counting(record_for(device))
    return prepared, GraphedModel(prepared, images, counting), counting


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def both(device: str) -> Both:
    return graphed_and_not(device)


def points(device: str, seed: int = 0, batch: int = 2) -> Tensor:
    return random_images(batch, seed=seed).to(device).requires_grad_()


def gradient(values: Tensor | list[Tensor], images: Tensor) -> Tensor:
    """Of random mixtures of the values; the graph stays."""
    values = [values] if isinstance(values, Tensor) else values
    torch.manual_seed(1)
    along = [torch.randn_like(value) for value in values]
    return torch.autograd.grad(values, images, along, retain_graph=True)[0]


def assert_same(found: Tensor, expected: Tensor) -> None:
    """To the last bit; a GPU may add in another order each time."""
    assert found.shape == expected.shape and found.stride() == expected.stride()
    if found.device.type == "cpu":
        assert torch.equal(found, expected)
    else:
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-3 * float(expected.abs().max()))


# --- predictions


def test_predictions_are_those_of_the_model_and_are_kept(both: Both, device: str) -> None:
    prepared, graphed, counting = both
    images = [random_images(seed=seed).to(device) for seed in range(3)]
    found = [graphed(each) for each in images]
    assert counting.replays == {(2, 3, 32, 48): 3}
    for each, predictions in zip(images, found, strict=True):
        expected = prepared(each)
        assert list(predictions) == list(expected)
        for name, value in expected.items():
            assert_same(predictions[name], value)
            assert not predictions[name].requires_grad


def test_other_images_go_through_the_model_itself(both: Both, device: str) -> None:
    prepared, graphed, counting = both
    for images in (random_images(1), random_images(3), random_images(2, 48, 32), random_images(2, 64, 64)):
        here = images.to(device).requires_grad_()
        for name, value in prepared(here).items():
            assert_same(graphed(here)[name], value)
            assert_same(gradient(graphed(here)[name], here), gradient(value, here))
    assert not counting.replays
    features = graphed.shared_features(random_images().to(device))
    assert_same(features, prepared.shared_features(random_images().to(device)))
    assert graphed.tasks == TASKS


def test_released_graphs_are_not_replayed(both: Both, device: str) -> None:
    prepared, graphed, counting = both
    assert graphed.release() and not graphed.release()
    for name, value in prepared(points(device)).items():
        assert_same(graphed(points(device))[name].detach(), value.detach())
    assert not counting.replays


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_under_any_grad_mode(mode: Callable[[], Any], both: Both, device: str) -> None:
    prepared, graphed, counting = both
    with mode():
        images = random_images(seed=3).to(device)
        assert images.is_inference() == (mode is torch.inference_mode)
        for name, value in prepared(images).items():
            found = graphed(images)[name]
            assert_same(found, value)
            assert (found.requires_grad, found.is_inference()) == (value.requires_grad, value.is_inference())
    # Made in inference mode, and used outside of it.
    assert_same(graphed(images)["depth"], prepared(images)["depth"])
    assert counting.replays.total() == len(TASKS) + 1


def test_recorded_in_any_mode(device: str) -> None:
    prepared = tiny(device)
    with torch.inference_mode():
        graphed = GraphedModel(prepared, random_images().to(device), record_for(device))
    image = points(device)
    assert_same(gradient(graphed(image)["depth"], image), gradient(prepared(image)["depth"], image))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_any_layout(layout: torch.memory_format, both: Both, device: str) -> None:
    prepared, graphed, _ = both
    image = random_images(seed=4).to(device).contiguous(memory_format=layout).requires_grad_()
    for name, value in prepared(image).items():
        assert_same(graphed(image)[name], value)
        assert_same(gradient(graphed(image)[name], image), gradient(value, image))


# --- gradients


def test_gradients_of_each_task_alone_and_of_all_together(both: Both, device: str) -> None:
    """As many backward passes after one forward pass as one likes, and what they gave is kept."""
    prepared, graphed, counting = both
    image = points(device)
    predictions, expected = graphed(image), prepared(image)
    wanted = [*([name] for name in TASKS), list(TASKS), ["depth"]]
    found = [gradient([predictions[name] for name in names], image) for names in wanted]
    assert counting.replays.total() == 1
    for names, value in zip(wanted, found, strict=True):
        assert_same(value, gradient([expected[name] for name in names], image))


def test_a_pass_between_forward_and_backward_changes_nothing(both: Both, device: str) -> None:
    prepared, graphed, counting = both
    images = [points(device, seed) for seed in range(3)]
    predictions = [graphed(image) for image in images]
    with torch.inference_mode():
        graphed(random_images(seed=9).to(device))
    before = counting.replays.total()
    order = (0, 0, 2, 0, 1, 1, 2)
    for which in order:
        image = images[which]
        assert_same(gradient(predictions[which]["depth"], image), gradient(prepared(image)["depth"], image))
    # One forward pass more each time that another was held: not for the second of two in a row.
    assert counting.replays.total() - before == 5


def test_a_point_that_was_moved_since_is_refused(both: Both, device: str) -> None:
    """Where it would have to be looked at again."""
    _, graphed, _ = both
    image = points(device)
    moved, other = image * 1, points(device, 1)
    depth = graphed(moved)["depth"].sum()
    graphed(other)
    with torch.no_grad():
        moved.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(depth, image)


def test_through_what_comes_before_and_after(both: Both, device: str) -> None:
    prepared, graphed, _ = both
    image = points(device)
    found, expected = (
        torch.autograd.grad(sum(v.square().mean() for v in model(image.flip(-1) * 0.9).values()), image)[0]
        for model in (graphed, prepared)
    )
    assert_same(found, expected)


def test_gradients_of_gradients_are_refused(both: Both, device: str) -> None:
    image = points(device)
    first = torch.autograd.grad(both[1](image)["depth"].square().sum(), image, create_graph=True)[0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_in_bfloat16(device: str) -> None:
    low = lower_precision(tiny(device))
    prepared, graphed, _ = graphed_and_not(device, low)
    image = points(device)
    for name, value in prepared(image).items():
        found = graphed(image)[name]
        assert found.dtype == torch.float32
        assert_same(found.detach(), value.detach())
        if device == "cpu":  # A GPU adds up what comes back from an enlarged map in any order, in bfloat16.
            assert_same(gradient(found, image), gradient(value, image))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("fields", [{"layout": "separate"}, {"sharing": "mtan"}, {"head": "deconv"}])
def test_other_networks(fields: dict[str, str], device: str) -> None:
    prepared = prepare_for_attack(tiny_network(**fields), random_images().to(device))
    _, graphed, _ = graphed_and_not(device, prepared)
    image = points(device)
    predictions, expected = graphed(image), prepared(image)
    for name in TASKS:
        assert_same(gradient(predictions[name], image), gradient(expected[name], image))


def test_layers_that_keep_little(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlattack.models.prepared.frozen._LARGE", 0)
    prepared = prepare_for_attack(tiny_network(), random_images().to(device))
    freeze_layers(prepared)
    _, graphed, _ = graphed_and_not(device, prepared)
    image = points(device)
    predictions, expected = graphed(image), prepared(image)
    for _ in range(2):
        for name in TASKS:
            assert_same(gradient(predictions[name], image), gradient(expected[name], image))


# --- heads without a gradient


class Cut(Plain):
    """One of two heads is cut off from the image, and one gives the image itself."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks = dict(TASKS)

    def forward(self, images: Tensor) -> Predictions:
        depth = super().forward(images)["depth"]
        return {"segmentation": depth.detach() * 2, "depth": depth, "normals": images}


def test_a_head_that_is_cut_off_has_no_gradient_here_either(device: str) -> None:
    prepared, graphed, _ = graphed_and_not(device, prepare_for_attack(Cut(), random_images().to(device)))
    image = points(device)
    predictions, expected = graphed(image), prepared(image)
    assert {n for n, v in predictions.items() if not v.requires_grad} == {"segmentation"}
    for name in ("depth", "normals"):
        assert_same(gradient(predictions[name], image), gradient(expected[name], image))
    kept = predictions["normals"].clone()
    graphed(points(device, 5))
    assert torch.equal(predictions["normals"], kept)


class Blind(Plain):
    def forward(self, images: Tensor) -> Predictions:
        return {"depth": super().forward(images)["depth"].detach()}


def test_a_model_without_any_gradient(device: str) -> None:
    prepared, graphed, _ = graphed_and_not(device, prepare_for_attack(Blind(), random_images().to(device)))
    predictions = graphed(points(device))
    assert not predictions["depth"].requires_grad
    assert_same(predictions["depth"], prepared(points(device))["depth"])


# --- what it is good for: the emulation bites where these are recorded without it


class Steep(nn.Module):
    """Its backward pass multiplies by what the forward pass saved."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"depth": torch.sin(3 * images) * torch.cos(images)}


@pytest.fixture
def bare() -> Callable[[Tensor], dict[str, Tensor]]:
    """The emulation by itself."""
    return record_on_cpu(Steep().forward, (random_images().requires_grad_(),))


def test_bare_predictions_are_overwritten(bare: Callable[[Tensor], dict[str, Tensor]]) -> None:
    first = bare(points("cpu"))["depth"]
    kept = first.detach().clone()
    bare(points("cpu", 1))
    assert not torch.equal(first, kept)


def test_bare_gradients_are_overwritten(bare: Callable[[Tensor], dict[str, Tensor]]) -> None:
    found = []
    for seed in (0, 1):
        image = points("cpu", seed)
        found.append(torch.autograd.grad(bare(image)["depth"].sum(), image)[0])
        expected = torch.autograd.grad(Steep()(image)["depth"].sum(), image)[0]
        assert torch.equal(found[-1], expected)
    assert torch.equal(found[0], found[1])


def test_bare_second_backward_pass_reads_what_the_first_overwrote(bare: Callable[[Tensor], dict[str, Tensor]]) -> None:
    image = points("cpu")
    depth = bare(image)["depth"].sum()
    first, second = (torch.autograd.grad(depth, image, retain_graph=True)[0].clone() for _ in range(2))
    assert torch.equal(first, torch.autograd.grad(Steep()(image)["depth"].sum(), image)[0])
    assert second.isnan().any()


def test_bare_backward_pass_is_that_of_the_last_forward_pass(bare: Callable[[Tensor], dict[str, Tensor]]) -> None:
    image, other = points("cpu"), points("cpu", 1)
    depth = bare(image)["depth"].sum()
    bare(other)
    found = torch.autograd.grad(depth, image)[0]
    assert torch.equal(found, torch.autograd.grad(Steep()(other)["depth"].sum(), other)[0])


def test_values_cannot_be_read_while_recording() -> None:
    with recording(Graph(Pool())), pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
        float(torch.ones(1).sum())

"""Layers with constant weights: the same values and gradients to the last bit, from less memory."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from model_toys import random_images, tiny_network
from torch import Tensor, nn

from mtlattack.models import lower_precision, prepare_for_attack
from mtlattack.models.prepared import frozen
from mtlattack.models.prepared.frozen import FrozenConv2d, FrozenReLU, freeze_layers

Make = Callable[[], nn.Module]


@pytest.fixture(autouse=True)
def _every_map_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "_LARGE", 1)


def pair(make: Make) -> tuple[nn.Module, nn.Module]:
    """A plain layer with constant weights, and the same one frozen."""
    layers = []
    for freeze in (lambda layer: None, freeze_layers):
        torch.manual_seed(0)
        layer = make().requires_grad_(False)
        freeze(layer)
        layers.append(layer)
    return layers[0], layers[1]


def gradient(layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Output, and the gradient of a random mixture of it in `x`."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    # Not a leaf, so that a layer may work in place.
    output = layer(x * 1)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output)
    return output.detach(), torch.autograd.grad(output, x, weights)[0]


def kept_bytes(layer: nn.Module, x: Tensor) -> int:
    """Of the activations that a pass keeps for its backward pass; each memory once, weights left out."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in layer.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        held = layer(x)  # the graph, and with it the memory, lives until here
    assert held.requires_grad
    return sum(kept.values())


LAYERS: dict[str, Make] = {
    "3×3": partial(nn.Conv2d, 4, 6, 3, padding=1),
    "strided": partial(nn.Conv2d, 4, 6, 3, stride=2, bias=False),
    "dilated": partial(nn.Conv2d, 4, 6, 3, dilation=2, padding=(2, 1)),
    "grouped": partial(nn.Conv2d, 4, 8, 3, groups=2, padding=1),
    "depthwise": partial(nn.Conv2d, 4, 4, 5, groups=4, padding=2),
    "1×1": partial(nn.Conv2d, 4, 16, 1),
    "transposed": partial(nn.ConvTranspose2d, 4, 6, 4, stride=2, padding=1),
    "transposed, odd": partial(nn.ConvTranspose2d, 4, 6, 3, stride=2, output_padding=1, groups=2),
    "reflecting": partial(nn.Conv2d, 4, 6, 3, padding=1, padding_mode="reflect"),
    "same": partial(nn.Conv2d, 4, 6, 3, padding="same"),
    "relu": nn.ReLU,
    "relu in place": partial(nn.ReLU, inplace=True),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients_are_the_same_bits(name: str, layout: torch.memory_format, dtype: torch.dtype) -> None:
    plain, light = pair(LAYERS[name])
    for batch, seed in ((1, 0), (3, 1)):
        x = torch.randn(batch, 4, 10, 13, generator=torch.Generator().manual_seed(seed)).to(dtype)
        plain, light, x = (each.to(dtype).to(memory_format=layout) for each in (plain, light, x))  # type: ignore
        for found, expected in zip(gradient(light, x), gradient(plain, x), strict=True):
            assert torch.equal(found, expected)
            assert found.stride() == expected.stride()


def test_what_is_no_number_goes_the_same_way() -> None:
    plain, light = pair(nn.ReLU)
    x = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0, -0.0, 1e-45, -1e-45, 3e38]).view(1, 1, 2, 4)
    for found, expected in zip(gradient(light, x), gradient(plain, x), strict=True):
        assert torch.equal(found.nan_to_num(7), expected.nan_to_num(7))
        assert torch.equal(found.isnan(), expected.isnan())


def stack() -> nn.Sequential:
    """Eight maps of eight channels."""
    layers = [part for _ in range(8) for part in (nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True))]
    return nn.Sequential(*layers)


def test_a_byte_a_value_is_kept_in_place_of_four() -> None:
    plain, light = pair(stack)
    x = torch.randn(2, 8, 16, 16, requires_grad=True)
    assert kept_bytes(plain, x) == 4 * (8 + 1) * x.numel()  # the outputs of the ReLUs, and x
    assert kept_bytes(light, x) == 8 * x.numel()


def test_small_maps_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, light = pair(stack)
    x = torch.randn(2, 8, 16, 16, requires_grad=True)
    monkeypatch.setattr(frozen, "_LARGE", x.numel() + 1)
    assert kept_bytes(light, x) == kept_bytes(plain, x)


def test_second_derivatives_are_those_of_the_plain_layers() -> None:
    found = []
    for layer in pair(lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.ConvTranspose2d(6, 2, 3))):
        torch.manual_seed(1)
        x = torch.randn(2, 4, 8, 8, requires_grad=True)
        (first,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), x)[0])
    assert torch.equal(*found) and found[0].any()


def test_weights_that_want_a_gradient_get_it() -> None:
    plain, light = pair(lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.ConvTranspose2d(6, 2, 3)))
    found = []
    for layer in (plain, light):
        layer.requires_grad_(True)
        layer(random_images().repeat(1, 2, 1, 1)[:, :4].requires_grad_()).square().sum().backward()
        found.append([parameter.grad for parameter in layer.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))  # type: ignore[arg-type]


def test_other_types_and_shapes_are_left_alone() -> None:
    class Doubling(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    torch.manual_seed(0)
    model = nn.Sequential(Doubling(4, 4, 3), nn.ReLU6(), nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 1)))
    before = [type(part) for part in model.modules()]
    freeze_layers(model)
    assert [type(part) for part in model.modules()] == before
    # Without a batch, or to a size that is asked for.
    for make, call in (
        (partial(nn.Conv2d, 4, 6, 3), lambda layer, x: layer(x[0])),
        (partial(nn.ConvTranspose2d, 4, 6, 3, stride=2), lambda layer, x: layer(x[0])),
        (partial(nn.ConvTranspose2d, 4, 6, 3, stride=2), lambda layer, x: layer(x, output_size=[18, 18])),
    ):
        plain, light = pair(make)
        x = torch.randn(2, 4, 8, 8)
        gradients = [
            torch.autograd.grad(call(layer, y := x.clone().requires_grad_()).sum(), y) for layer in (plain, light)
        ]
        assert torch.equal(gradients[0][0], gradients[1][0])


def test_under_autocast_layers_work_as_before() -> None:
    plain, light = pair(stack)
    x = torch.randn(2, 8, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = gradient(light, x), gradient(plain, x)
    assert found[0].dtype == torch.bfloat16
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.slow  # torch's compiler takes seconds to load
def test_a_compiler_follows_them_without_a_break() -> None:
    """As plain layers: what is kept of a pass is its own to choose."""
    plain, layers = pair(stack)
    torch._dynamo.reset()
    compiled = torch.compile(layers, backend="aot_eager", fullgraph=True)
    found = []
    for model in (compiled, plain):
        x = torch.randn(2, 8, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
        output = model(x)
        found += [(output.detach(), *torch.autograd.grad(output.square().sum(), x))]
    torch.testing.assert_close(*found)


def test_a_leaf_is_not_overwritten() -> None:
    x = torch.randn(1, 2, 4, 4, requires_grad=True)
    before = x.detach().clone()
    for layer in pair(partial(nn.ReLU, inplace=True)):
        with pytest.raises(RuntimeError, match="leaf"):
            layer(x)
        assert torch.equal(x, before)


def test_what_another_branch_needs_is_not_overwritten_unseen() -> None:
    for layer in pair(partial(nn.ReLU, inplace=True)):
        x = torch.randn(1, 2, 4, 4, requires_grad=True)
        y = x * 1
        other = y.square()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            (layer(y) + other).sum().backward()


def test_a_frozen_network_can_be_prepared_again() -> None:
    network = tiny_network()
    freeze_layers(network)
    assert prepare_for_attack(network, random_images()).folded > 0


def test_layers_stay_the_same_objects_with_their_hooks() -> None:
    calls: list[str] = []
    convolution = nn.Conv2d(3, 4, 3)
    convolution.register_forward_hook(lambda *_: calls.append("forward"))
    convolution.register_full_backward_hook(lambda *_: calls.append("backward"))
    model = nn.Sequential(convolution, nn.ReLU()).requires_grad_(False)
    outside = [convolution]  # what a module's own code may hold
    freeze_layers(model)
    assert model[0] is convolution is outside[0] and type(convolution) is FrozenConv2d
    model(random_images().requires_grad_()).sum().backward()
    assert calls == ["forward", "backward"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("fields", [{}, {"head": "deconv"}, {"head": "atrous"}, {"sharing": "mtan"}])
def test_a_prepared_network_gives_the_same_bits_from_less(fields: dict[str, Any], monkeypatch: Any) -> None:
    images = random_images(2, 48, 64)
    prepared = prepare_for_attack(tiny_network(**fields), images)
    assert {FrozenConv2d, FrozenReLU} <= {type(part) for part in prepared.modules()}
    for model in (prepared, lower_precision(prepared)):
        found = []
        for large in (1, 2**40):
            monkeypatch.setattr(frozen, "_LARGE", large)
            x = images.clone().requires_grad_()
            predictions = model(x)
            (direction,) = torch.autograd.grad(sum(p.square().mean() for p in predictions.values()), x)
            found.append([*predictions.values(), direction])
        assert all(torch.equal(a, b) for a, b in zip(*found, strict=True)) and found[0][-1].any()


def test_the_callers_model_keeps_its_layers() -> None:
    network = tiny_network()
    before = [type(part) for part in network.modules()]
    prepare_for_attack(network, random_images())
    assert [type(part) for part in network.modules()] == before

"""Copies whose weights are cast once: float32 images in, float32 predictions out, near those of the original."""

from collections.abc import Callable

import pytest
import torch
from model_toys import TASKS, random_images, tiny_network
from preparing_toys import Plain, Predictions, assert_same, predict
from torch import Tensor, nn

from mtlattack.models import PreparedModel, create_model, lower_precision, prepare_for_attack, wrap
from mtlattack.tasks import Depth


def zoo_copy() -> PreparedModel:
    return prepare_for_attack(create_model("rooms-resnet10t.shared"), random_images(2, 32, 32))


def wrapped_copy() -> PreparedModel:
    model = wrap(Plain(), {"depth": Depth()}, mean=[0.4, 0.5, 0.6], std=[0.2, 0.25, 0.3], size_multiple=16)
    return prepare_for_attack(model, random_images(2, 30, 40))


def mtan_copy() -> PreparedModel:
    return prepare_for_attack(tiny_network(sharing="mtan"), random_images())


@pytest.mark.sampled(2)
@pytest.mark.parametrize("make", [zoo_copy, wrapped_copy, mtan_copy])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_weights_are_cast_once_but_not_the_normalisation(make: Callable[[], PreparedModel], dtype: torch.dtype) -> None:
    prepared = make()
    low = lower_precision(prepared, dtype)
    assert (low.dtype, prepared.dtype, low.folded) == (dtype, torch.float32, prepared.folded)
    for copied, expected in ((low, dtype), (prepared, torch.float32)):
        assert {p.dtype for p in copied.parameters()} == {expected}
    for name in ("mean", "std"):
        cast, original = getattr(low.model, name), getattr(prepared.model, name)
        assert cast.dtype == torch.float32 and torch.equal(cast, original)
        assert name in dict(low.model.named_buffers())
    assert not any(p.requires_grad for p in low.parameters()) and not any(part.training for part in low.modules())


@pytest.mark.parametrize("make", [zoo_copy, wrapped_copy, mtan_copy])
def test_predictions_are_float32_and_near(make: Callable[[], PreparedModel]) -> None:
    prepared, images = make(), random_images(2, 32, 32)
    expected, low = predict(prepared, images), predict(lower_precision(prepared), images)
    for name, value in low.items():
        assert value.dtype == torch.float32 and value.shape == expected[name].shape
        error = float((value - expected[name]).norm() / expected[name].norm())
        assert 0 < error < 0.03, name


def test_float64_is_nearer_than_bfloat16() -> None:
    prepared, images = zoo_copy(), random_images(2, 32, 32)
    expected = predict(prepared, images)
    assert_same(predict(lower_precision(prepared, torch.float64), images), expected)


def test_a_module_that_is_not_wrapped_gets_its_images_cast() -> None:
    class Typed(Plain):
        seen: list[torch.dtype] = []

        def forward(self, images: Tensor) -> Predictions:
            if isinstance(images, Tensor):
                self.seen.append(images.dtype)
            return super().forward(images)

    prepared = prepare_for_attack(Typed(), random_images())
    low = lower_precision(prepared)
    Typed.seen.clear()
    expected, cast = predict(prepared, random_images()), predict(low, random_images())
    assert Typed.seen == [torch.float32, torch.bfloat16]
    assert cast["depth"].dtype == torch.float32
    torch.testing.assert_close(cast, expected, rtol=0, atol=0.03 * float(expected["depth"].abs().max()))


def test_a_normalised_image_is_rounded_only_after_the_normalisation() -> None:
    # Images that differ by less than bfloat16 can show in [0.5, 1), but not once the mean is taken away.
    images = torch.full((2, 3, 8, 8), 0.75)
    images[1] += 1e-3
    assert torch.equal(*images.bfloat16())
    model = wrap(Plain(), {"depth": Depth()}, mean=[0.75] * 3, std=[0.01] * 3)
    one, other = predict(lower_precision(prepare_for_attack(model, images)), images)["depth"]
    assert not torch.equal(one, other)


# --- parts that normalise by themselves


class Around(nn.Module):
    """A plain module around a part that normalises its images: a temperature, and a layer on what the part gives."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part, self.tasks = part, {"depth": Depth()}
        self.temperature = nn.Parameter(torch.tensor([1.5]))
        self.more = nn.Conv2d(1, 1, 1)

    def forward(self, images: Tensor) -> Predictions:
        return {"depth": self.more(self.part(images)["depth"]) * self.temperature}


class Mean(nn.Module):
    """The mean over several networks."""

    def __init__(self, *members: nn.Module) -> None:
        super().__init__()
        self.members, self.tasks = nn.ModuleList(members), {"depth": Depth()}

    def forward(self, images: Tensor) -> Predictions:
        return {"depth": torch.stack([member(images)["depth"] for member in self.members]).mean(0)}


def wrapped_plain() -> nn.Module:
    return wrap(Plain(), {"depth": Depth()}, mean=[0.75] * 3, std=[0.01] * 3)


def sharp_network() -> nn.Module:
    return tiny_network(mean=(0.75, 0.75, 0.75), std=(0.01, 0.01, 0.01))


NESTED: dict[str, Callable[[], nn.Module]] = {
    "around a wrapped module": lambda: Around(wrapped_plain()),
    "around a network": lambda: Around(sharp_network()),
    "several": lambda: Mean(wrapped_plain(), sharp_network()),
    "deep": lambda: Around(Mean(sharp_network())),
    "wrapped once more": lambda: wrap(sharp_network(), {"depth": Depth()}, outputs={"depth": "depth"}),
    "wrapped around": lambda: wrap(Around(wrapped_plain()), {"depth": Depth()}),
}


@pytest.mark.parametrize("name", NESTED)
def test_parts_that_normalise_do_it_in_float32_wherever_they_are(name: str) -> None:
    # Images that differ by less than bfloat16 can show, but not once the mean is taken away.
    images = torch.full((2, 3, 16, 16), 0.75)
    images[1] += 1e-3
    prepared = prepare_for_attack(NESTED[name]().eval(), images)
    low = lower_precision(prepared)
    buffers = dict(low.named_buffers())
    kept = [buffers[key] for key in buffers if key.endswith((".mean", ".std"))]
    assert kept and {buffer.dtype for buffer in kept} == {torch.float32}
    assert torch.bfloat16 in {p.dtype for p in low.parameters()}
    found = predict(low, images)["depth"]
    assert found.dtype == torch.float32 and not torch.equal(*found)
    torch.testing.assert_close(found, predict(prepared, images)["depth"], rtol=0, atol=0.05)


def test_what_is_around_them_stays_as_it_was() -> None:
    low = lower_precision(prepare_for_attack(Around(wrapped_plain()), random_images()))
    assert {name for name, p in low.named_parameters() if p.dtype == torch.float32} == {
        "model.temperature",
        "model.more.weight",
        "model.more.bias",
    }
    around, module = low.model, low.model.part.module
    assert all(p.dtype == torch.bfloat16 for p in module.parameters())
    features = around.part(random_images())["depth"]
    assert features.dtype == torch.float32


def test_a_network_in_bfloat16_gives_features_and_predictions_in_float32() -> None:
    low = lower_precision(prepare_for_attack(tiny_network(), random_images()))
    inner = low.model
    assert inner.shared_features(random_images()).dtype == torch.float32
    assert {value.dtype for value in predict(inner, random_images()).values()} == {torch.float32}


def test_gradients_of_a_lower_precision_are_float32() -> None:
    low, images = lower_precision(zoo_copy()), random_images(2, 32, 32).requires_grad_()
    (gradient,) = torch.autograd.grad(sum(v.square().mean() for v in low(images).values()), images)
    assert gradient.dtype == torch.float32 and gradient.isfinite().all() and gradient.any()


def test_tasks_are_those_of_the_model() -> None:
    prepared = prepare_for_attack(tiny_network(), random_images())
    assert list(prepared.tasks) == list(lower_precision(prepared).tasks) == list(TASKS)

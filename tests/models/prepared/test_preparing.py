"""Private copies for attacks: same predictions, nothing of the caller's changed, and a way back where they differ."""

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from model_toys import random_images, tiny_network
from preparing_toys import Plain, Predictions, assert_same, batch_norms, predict
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.models import lower_precision, prepare_for_attack


@contextmanager
def silence() -> Iterator[None]:
    """No warning may come."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# --- the copy


@pytest.mark.sampled(2)
@pytest.mark.parametrize("fields", [{}, {"layout": "separate"}, {"sharing": "mtan"}, {"head": "deconv"}])
def test_copy_predicts_the_same_without_batch_norm(fields: dict[str, str]) -> None:
    network = tiny_network(**fields)
    prepared = prepare_for_attack(network, random_images())
    assert prepared.folded == batch_norms(network) > 0 == batch_norms(prepared)
    assert prepared.channels_last and prepared.dtype == torch.float32 and prepared.tasks == network.tasks
    others = random_images(4, 48, 32, seed=1)
    assert_same(predict(prepared, others), predict(network.eval(), others))


def test_copy_is_frozen_in_eval_mode_and_laid_out_channels_last() -> None:
    prepared = prepare_for_attack(tiny_network().train(), random_images())
    assert not any(part.training for part in prepared.modules())
    assert not any(parameter.requires_grad for parameter in prepared.parameters())
    weights = [p for p in prepared.parameters() if p.ndim == 4]
    assert weights and all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)


def test_copy_is_differentiable_in_its_images() -> None:
    network = tiny_network()
    gradients = []
    for model in (network, prepare_for_attack(network, random_images())):
        images = random_images().requires_grad_()
        gradients.append(torch.autograd.grad(sum(v.square().mean() for v in model(images).values()), images)[0])
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-4 * float(gradients[0].abs().max()))


def test_nothing_of_the_callers_model_changes() -> None:
    model = tiny_network().train()
    model.stages[0].eval()
    next(model.parameters()).requires_grad_(False)
    seen: list[int] = []
    model.heads["depth"].register_forward_hook(lambda *_: seen.append(1))
    images, weights, parts = random_images(), copy.deepcopy(model.state_dict()), list(model.modules())
    pixels = images.clone()
    modes, flags = [part.training for part in parts], [p.requires_grad for p in model.parameters()]
    prepare_for_attack(model, images)
    assert [id(part) for part in model.modules()] == [id(part) for part in parts]
    assert [part.training for part in parts] == modes and [p.requires_grad for p in model.parameters()] == flags
    assert all(p.grad is None for p in model.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name]) and value.stride() == weights[name].stride(), name
    assert torch.equal(images, pixels) and not images.requires_grad
    before = len(seen)
    model(images)
    assert len(seen) == before + 1


def test_copies_share_nothing_with_the_model() -> None:
    model, images = tiny_network(), random_images()
    prepared = prepare_for_attack(model, images)
    low = lower_precision(prepared)
    expected = [predict(twin, images) for twin in (prepared, low)]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    for twin, before in zip((prepared, low), expected, strict=True):
        assert all(torch.equal(value, before[name]) for name, value in predict(twin, images).items())


def test_two_images_and_their_negatives_are_looked_at_one_by_one() -> None:
    class Listening(Plain):
        batches: list[int] = []

        def forward(self, images: Tensor) -> Predictions:
            if isinstance(images, Tensor):
                self.batches.append(len(images))
            return super().forward(images)

    prepare_for_attack(Listening(), random_images(7))
    prepare_for_attack(Listening(), random_images(1))
    assert Listening.batches == 8 * [1] + 4 * [1]  # by the copy to compare with and by the folded one


# --- modules that must not be changed


class ReadsTheNorm(Plain):
    """Uses the statistics of its batch norm itself."""

    def features(self, images: Tensor) -> Tensor:
        return super().features(images) + self.norm.running_mean.view(1, -1, 1, 1)  # type: ignore[union-attr]


class ReadsTheWeight(Plain):
    """Uses the convolution's weight itself: nothing raises, the prediction is another."""

    def features(self, images: Tensor) -> Tensor:
        return super().features(images) + self.conv.weight.sum((1, 2, 3)).view(1, -1, 1, 1)


class ReachesInto(Plain):
    """A part that can be traced, of which it uses a part, in code that cannot be."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = nn.Sequential(self.conv, self.norm)
        del self.conv, self.norm

    def features(self, images: Tensor) -> Tensor:
        return self.pair(images) * self.pair[0](images) if images.shape[-1] > 2 else images


class CountsParts(Plain):
    """Refuses to run without its batch norm."""

    def forward(self, images: Tensor) -> Predictions:
        if not isinstance(self.norm, nn.BatchNorm2d):
            raise RuntimeError("where is my batch norm?")
        return super().forward(images)


class OnDark(ReadsTheWeight):
    """Shows only on dark images that something was folded."""

    def forward(self, images: Tensor) -> Predictions:
        dark = images.mean((1, 2, 3), keepdim=True) < 0.2
        return {"depth": torch.where(dark, super().forward(images)["depth"], images[:, :1])}


@pytest.mark.parametrize(
    ("make", "does"),
    [
        (ReadsTheNorm, r"raises AttributeError \(.*running_mean.*\)"),
        (ReadsTheWeight, "predicts otherwise"),
        (ReachesInto, "predicts otherwise"),
        (CountsParts, r"raises RuntimeError \(where is my batch norm\?\)"),
    ],
)
def test_without_folding_where_it_changes_predictions(make: type[Plain], does: str) -> None:
    model, images = make().eval(), random_images(3)
    with pytest.warns(UserWarning, match=rf"^{make.__name__} {does} when its batch norms are folded: left as it was$"):
        prepared = prepare_for_attack(model, images)
    assert prepared.folded == 0 and prepared.channels_last and batch_norms(prepared) == 1
    assert_same(predict(prepared, images), predict(model, images))


class Views(Plain):
    """`view` needs one layout: another raises."""

    def features(self, images: Tensor) -> Tensor:
        return super().features(images).view(len(images), -1).view(len(images), 8, *images.shape[-2:])


class ReadsMemory(Plain):
    """Reads pixels in the order in which they lie in memory."""

    def features(self, images: Tensor) -> Tensor:
        y = super().features(images)
        return torch.as_strided(y, y.shape, torch.empty(y.shape).stride())


@pytest.mark.parametrize("make", [Views, ReadsMemory])
def test_left_as_it_was_where_the_layout_changes_predictions(make: type[Plain]) -> None:
    model, images = make().eval(), random_images(3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        prepared = prepare_for_attack(model, images)
    said = [str(warning.message) for warning in caught]
    assert [line.partition(" when ")[2] for line in said] == [
        "its batch norms are folded: left as it was",
        "it is laid out channels-last: left as it was",
    ]
    assert all(line.startswith(make.__name__) and "\n" not in line for line in said)
    assert prepared.folded == 0 and not prepared.channels_last
    expected = predict(model, images)
    assert all(torch.equal(value, expected[name]) for name, value in predict(prepared, images).items())


def test_a_tiny_prediction_is_compared_by_its_own_size() -> None:
    class Tiny(ReadsTheWeight):
        def forward(self, images: Tensor) -> Predictions:
            predictions = super().forward(images)
            return {"depth": 1e-6 * predictions["depth"], "large": 1e6 * images}

    with pytest.warns(UserWarning, match="Tiny predicts otherwise when its batch norms are folded"):
        prepare_for_attack(Tiny(), random_images())


def test_negatives_of_the_images_are_looked_at_too() -> None:
    model, bright = OnDark().eval(), 0.9 + 0.1 * random_images()
    with pytest.warns(UserWarning, match="OnDark predicts otherwise when its batch norms are folded"):
        prepared = prepare_for_attack(model, bright)
    assert_same(predict(prepared, 1 - bright), predict(model, 1 - bright))


def test_predictions_that_are_not_finite_compare_as_they_are() -> None:
    class Holes(Plain):
        def forward(self, images: Tensor) -> Predictions:
            depth = super().forward(images)["depth"]
            return {"depth": torch.where(images[:, :1] > 0.9, torch.nan, depth)}

    model, images = Holes().eval(), random_images()
    with silence():
        prepared = prepare_for_attack(model, images)
    assert prepared.folded == 1
    assert torch.equal(predict(prepared, images)["depth"].isnan(), predict(model, images)["depth"].isnan())


# --- chance


class Noisy(Plain):
    """Draws noise in each pass, after its batch norm."""

    def features(self, images: Tensor) -> Tensor:
        y = super().features(images)
        return y + torch.randn(1, 8, 1, 1)


def test_a_model_with_noise_is_compared_at_the_same_seed() -> None:
    with silence():
        prepared = prepare_for_attack(Noisy(), random_images())
    assert prepared.folded == 1
    values = [predict(prepared, random_images())["depth"] for _ in range(2)]
    assert not torch.allclose(*values)


@pytest.mark.parametrize("make", [Noisy, ReadsTheNorm])
@pytest.mark.filterwarnings("ignore:.*left as it was")
def test_the_callers_random_numbers_go_on_as_if_nothing_had_happened(make: type[Plain]) -> None:
    model = make()
    torch.manual_seed(7)
    before = torch.get_rng_state()
    prepare_for_attack(model, random_images())
    assert torch.equal(torch.get_rng_state(), before)


def test_no_other_device_is_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(seed: int) -> None:
        raise AssertionError("torch.manual_seed seeds all devices that there are")

    model = Noisy()
    monkeypatch.setattr(torch, "manual_seed", refuse)
    assert prepare_for_attack(model, random_images()).folded == 1


# --- inference mode


def test_copies_made_in_inference_mode_take_part_in_a_backward_pass() -> None:
    with torch.inference_mode():
        prepared = prepare_for_attack(tiny_network(), random_images())
        low = lower_precision(prepared)
    for twin in (prepared, low):
        images = random_images().requires_grad_()
        (gradient,) = torch.autograd.grad(sum(v.square().mean() for v in twin(images).values()), images)
        assert gradient.any()
    outside = prepare_for_attack(tiny_network(), random_images())
    assert prepared.folded == outside.folded > 0
    assert_same(predict(prepared, random_images()), predict(outside, random_images()))


# --- errors


class Lists(Plain):
    def forward(self, images: Tensor) -> list[Tensor]:  # type: ignore[override]
        return [self.last(self.features(images))]


def test_a_model_that_returns_no_mapping() -> None:
    with pytest.raises(InputError, match="the model returned a list, expected predictions by task"):
        prepare_for_attack(Lists(), random_images())


def test_a_lack_of_memory_is_not_taken_for_a_module_that_cannot_be_folded() -> None:
    class Large(CountsParts):
        def forward(self, images: Tensor) -> Predictions:
            if not isinstance(self.norm, nn.BatchNorm2d):
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return super().forward(images)

    with silence(), pytest.raises(torch.OutOfMemoryError):
        prepare_for_attack(Large(), random_images())


def test_an_error_of_the_models_own_is_not_hidden() -> None:
    class Broken(Plain):
        def forward(self, images: Tensor) -> Predictions:
            raise KeyError("weights of the head")

    with pytest.raises(KeyError, match="weights of the head"):
        prepare_for_attack(Broken(), random_images())

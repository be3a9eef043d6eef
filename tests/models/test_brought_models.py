"""Models as users bring them: attacked and evaluated as the plain network is; they and the images stay as they were."""

import functools
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from brought_toys import (
    Function,
    Locked,
    Network,
    Remembers,
    WeightNormed,
    by_a_hook,
    compiled,
    compiled_inside,
    darkened,
    frozen,
    in_place,
    made_in_inference_mode,
    parallel,
    scripted,
    shifted,
    through_a_view,
    traced,
    traced_as_a_whole,
    twin,
)
from evaluation_toys import every_fourth_pixel
from model_toys import random_images
from torch import Tensor, nn

import mtlattack as mta
from mtlattack.data import load_dataset, write_rooms
from mtlattack.models import lower_precision, prepare_for_attack

Make = Callable[[], nn.Module]
# What is brought, and the network that it must not be told from.
WRITING: dict[Make, Make] = {in_place: shifted, through_a_view: darkened, by_a_hook: shifted, Function: shifted}  # type: ignore[dict-item]
KEEPING: dict[Make, Make] = dict.fromkeys([WeightNormed, Remembers, Locked, made_in_inference_mode], twin)
SCRIPTS: dict[Make, Make] = dict.fromkeys([scripted, frozen, traced, traced_as_a_whole], twin)
TOOLS: dict[Make, Make] = dict.fromkeys([compiled, compiled_inside, parallel], twin)
PAIRS = WRITING | KEEPING | SCRIPTS | TOOLS
# TorchScript orders its sums as it likes, and what cannot be folded is rounded otherwise.
ROUNDED = {*SCRIPTS, Locked, WeightNormed}

ATTACKS = [
    mta.create_attack("fgsm-total", eps=4 / 255),
    mta.create_attack("pgd-total", eps=4 / 255, steps=2),
    mta.create_attack("apgd-total", eps=4 / 255, steps=3),
    mta.create_attack("square-total", eps=4 / 255, steps=3),
    mta.create_attack("noise-total", eps=4 / 255, restarts=2),
]

pytestmark = [
    pytest.mark.filterwarnings("ignore:Locked raises TypeError .* when it is copied. used as it is"),
    # Of torch.compile itself, about any image that is no leaf.
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
]


def attacked(model: nn.Module, images: Tensor) -> list[Tensor]:
    """By each of the attacks; the caller's tensors stay as they are."""
    pixels, targets = images.clone(), {"depth": 2 + images.mean(1)}
    labels = targets["depth"].clone()
    found = [attack(model, images, targets) for attack in ATTACKS]
    assert torch.equal(images, pixels) and torch.equal(targets["depth"], labels)
    assert all(0 < (each - images).abs().max() <= 4.001 / 255 for each in found)
    return found


@functools.cache
def expected(make: Make) -> list[Tensor]:
    return attacked(make(), random_images())


def assert_same(found: list[Tensor], expected: list[Tensor], rounded: bool) -> None:
    """To the last bit, or but for gradients so near to zero that rounding turns them."""
    for one, other in zip(found, expected, strict=True):
        assert ((one - other).abs() > 1e-6).double().mean() < 0.01 if rounded else torch.equal(one, other)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("make", [make for make in PAIRS if make is not made_in_inference_mode])
def test_attacked_as_it_is(make: Make) -> None:
    model = make()
    before = state(model)
    assert_same(attacked(model, random_images()), expected(PAIRS[make]), make in ROUNDED)
    assert state(model) == before


@pytest.mark.sampled(2)
@pytest.mark.parametrize("make", [make for make in PAIRS if make is not Function])
def test_attacked_when_prepared(make: Make) -> None:
    model, plain, images = make(), PAIRS[make](), random_images()
    before, pixels = state(model), images.clone()
    prepared = prepare_for_attack(model, images)
    with torch.no_grad():
        torch.testing.assert_close(prepared(images), dict(plain(images.clone())), rtol=1e-4, atol=1e-5)
    assert torch.equal(images, pixels)
    found = attacked(prepared, images)
    assert_same(found, attacked(prepare_for_attack(plain, images), images), make in ROUNDED)
    assert state(model) == before


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rooms")
    return every_fourth_pixel(write_rooms(folder / "whole.h5", "test", 2), folder / "rooms.h5")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("make", PAIRS)
def test_evaluated(make: Make, rooms: Path) -> None:
    evidence, by_twin = (
        mta.evaluate(model, load_dataset(rooms, tasks=model.tasks), ATTACKS, device="cpu", batch_size=2)  # type: ignore[arg-type]
        for model in (make(), PAIRS[make]())
    )
    for one, other in zip((evidence.clean, *evidence.attacked), (by_twin.clean, *by_twin.attacked), strict=True):
        np.testing.assert_allclose(one.losses, other.losses, rtol=2e-3 if make in ROUNDED or make is Function else 0)


@pytest.mark.parametrize("make", [make for make in PAIRS if make not in (Function, Locked)])
def test_a_copy_in_lower_precision_can_be_made(make: Make) -> None:
    images = random_images()
    prepared = prepare_for_attack(make(), images)
    prepared(images.requires_grad_())  # What a pass leaves behind is copied too.
    low = lower_precision(prepared)(images)["depth"]
    torch.testing.assert_close(low, prepared(images)["depth"], rtol=0.02, atol=0.05)


def test_what_cannot_be_copied_is_named_and_borrowed_at_each_call() -> None:
    model = Locked().train()
    with pytest.warns(
        UserWarning, match=r"^Locked raises TypeError \(cannot pickle .*lock.*\) when it is copied: used as"
    ):
        prepared = prepare_for_attack(model, random_images())
    assert prepared.folded == 0 and not prepared.channels_last
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictions = prepared(random_images())
    torch.testing.assert_close(predictions, dict(twin()(random_images())))
    assert model.training and all(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(mta.InputError, match="BorrowedModule has no `shared_features"):
        prepared.shared_features(random_images())


@pytest.mark.parametrize("make", [WeightNormed, Remembers])
def test_what_was_computed_keeps_its_history_in_the_callers_module(make: Make) -> None:
    model = make()
    held = model.conv.weight if make is WeightNormed else model.log.entries[0]["depth"]  # type: ignore[union-attr]
    prepare_for_attack(model, random_images())
    kept = model.conv.weight if make is WeightNormed else model.log.entries[0]["depth"]  # type: ignore[union-attr]
    assert kept is held and held.grad_fn is not None


def state(model: nn.Module) -> list[object]:
    """Weights, modes and flags."""
    network = model.network if isinstance(model, Function) else model
    return [
        [bool(getattr(part, "training", False)) for part in network.modules()],
        [(parameter.requires_grad, parameter.grad) for parameter in network.parameters()],
        [value.flatten().tolist() for value in network.state_dict().values()],
    ]


def test_what_was_compiled_is_folded_as_it_was_written() -> None:
    prepared = prepare_for_attack(compiled(), random_images())
    assert prepared.folded == 1 and type(prepared.model) is Network
    assert prepare_for_attack(compiled_inside(), random_images()).folded == 1

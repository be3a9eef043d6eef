"""Attacks on a model whose passes are replayed as CUDA graphs end where they end on the model itself."""

from functools import cache
from typing import Any

import pytest
import torch
from graph_toys import DEVICES, Counting, record_for
from model_toys import TASKS, random_images, tiny_network
from torch import Tensor

from mtlattack.attacks import UniversalAttack, create_attack
from mtlattack.models import GraphedModel, PreparedModel, lower_precision, prepare_for_attack

EPS = 8 / 255
# All kinds of passes: one task's gradient alone, several in turn, views, passes that only judge, other shapes.
ATTACKS: dict[str, dict[str, Any]] = {
    "pgd-dgba": {"steps": 3},
    "apgd-dgba": {"steps": 5},
    "apgd-relative+segpgd": {"steps": 4},
    "pgd-signsum": {"steps": 2},
    "pgd-single:depth": {"steps": 2},
    "pgd-maxmin": {"steps": 2},
    "pgd-mgda": {"steps": 2},
    "bim-pcgrad": {"steps": 2},
    "nim-dgba": {"steps": 3},
    "dim-total": {"steps": 4},
    "tim-total": {"steps": 2},
    "bsr-total": {"steps": 2, "copies": 2},
    "square-relative": {"steps": 4},
    "minimal-dgba": {},
    "auto-saga": {"steps": 2},
    "pgd-wgd": {"steps": 2},
}


@cache
def prepared(device: str) -> PreparedModel:
    return prepare_for_attack(tiny_network(), random_images().to(device))


def batch(device: str, size: int = 2) -> tuple[Tensor, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(7)
    targets = {
        "segmentation": torch.randint(0, 4, (size, 32, 48), generator=generator),
        "depth": 1 + torch.rand(size, 32, 48, generator=generator),
        "normals": torch.nn.functional.normalize(torch.randn(size, 3, 32, 48, generator=generator), dim=1),
    }
    assert targets.keys() == TASKS.keys()
    return random_images(size, seed=6).to(device), {name: target.to(device) for name, target in targets.items()}


def recorded(model: PreparedModel, device: str) -> tuple[GraphedModel, Counting]:
    counting = Counting(record_for(device))
    return GraphedModel(model, random_images().to(device), counting), counting


def assert_same(found: Tensor, expected: Tensor) -> None:
    """To the last bit; on a GPU, which may add in another order each time, but for a few signs of nothing."""
    if found.device.type == "cpu":
        assert torch.equal(found, expected)
    else:
        assert ((found - expected).abs() < 1e-6).float().mean() > 0.95


@pytest.mark.sampled(3)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ATTACKS)
def test_same_images(name: str, device: str) -> None:
    images, targets = batch(device)
    attack = create_attack(name, eps=EPS, **ATTACKS[name])
    graphed, counting = recorded(prepared(device), device)
    expected = attack(prepared(device), images, targets)
    assert_same(attack(graphed, images, targets), expected)
    assert counting.replays.total() > 0 and not torch.equal(expected, images)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("name", "options"), [("pgd-feature", {}), ("pgd-fia", {"masks": 2})])
def test_shared_features_are_taken_from_the_model_itself(name: str, options: dict[str, int], device: str) -> None:
    images, targets = batch(device)
    attack = create_attack(name, eps=EPS, steps=2, **options)
    graphed, counting = recorded(prepared(device), device)
    assert_same(attack(graphed, images, targets), attack(prepared(device), images, targets))
    assert not counting.replays


@pytest.mark.parametrize("device", DEVICES)
def test_a_universal_perturbation(device: str) -> None:
    """Fitted on a whole batch and on a smaller one, in turn."""
    batches = [batch(device), batch(device, 1)]
    attack = create_attack("universal-dgba", eps=EPS, epochs=2)
    assert isinstance(attack, UniversalAttack)
    graphed, counting = recorded(prepared(device), device)
    assert_same(attack.fit(graphed, batches).delta, attack.fit(prepared(device), batches).delta)
    assert counting.replays == {(2, 3, 32, 48): 2}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["pgd-dgba", "apgd-dgba"])
def test_a_search_of_its_own(name: str, device: str) -> None:
    images, targets = batch(device)
    low = lower_precision(prepared(device))
    (judge, judging), (search, searching) = recorded(prepared(device), device), recorded(low, device)
    attack = create_attack(name, eps=EPS, steps=3)
    expected = attack(prepared(device), images, targets, search=low)
    found = attack(judge, images, targets, search=search)
    if device == "cpu":
        assert_same(found, expected)
    assert searching.replays.total() == 3 and judging.replays.total() == (name == "apgd-dgba") * 2


@pytest.mark.parametrize("device", DEVICES)
def test_no_attack_replays_a_forward_pass_again(device: str) -> None:
    """In none does a pass at another point come between a forward pass and its backward passes."""
    images, targets = batch(device)
    for name in ("pgd-signsum", "pgd-mgda", "auto-saga", "apgd-dgba", "nim-dgba"):
        attack = create_attack(name, eps=EPS, steps=4)
        graphed, counting = recorded(prepared(device), device)
        attack(graphed, images, targets)
        assert counting.replays.total() == attack.cost(len(TASKS)).forward, name

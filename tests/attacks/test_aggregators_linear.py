"""Aggregators that cost one backward pass, against loops by hand and exact projections."""

import numpy as np
import pytest
import torch
from aggregator_toys import gradients_of, some_gradients
from attack_toys import ToyNet, losses_of, toy_batch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlattack.attacks import create_aggregator, create_attack
from mtlattack.attacks.aggregators.minmax import onto_simplex
from mtlattack.errors import InputError, UnknownNameError


def losses(images, targets):
    with torch.no_grad():
        return torch.stack(losses_of(ToyNet(), images, targets), 1)


def ascend(images, targets, weights_at, eps, steps):
    """Steps of ε/steps along the sign of ∇ Σ_i w_i L_i, w from a function of the losses `[B, T]`."""
    x = images
    for _ in range(steps):
        x = x.detach().requires_grad_()
        now = torch.stack(losses_of(ToyNet(), x, targets), 1)
        (gradient,) = torch.autograd.grad((weights_at(now.detach()) * now).sum(), x)
        x = torch.minimum(torch.maximum(x + eps / steps * gradient.sign(), images - eps), images + eps).clamp(0, 1)
    return x.detach()


def bisected(values: np.ndarray) -> np.ndarray:
    """The projection on the simplex by bisection for the threshold that leaves a sum of one."""
    low, high = values.min() - 1, values.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(values - middle, 0, None).sum() > 1 else (low, middle)
    return np.clip(values - low, 0, None)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=11), st.sampled_from([0.0, 1e6, -1e6]))
def test_onto_simplex_is_the_projection(values, shift):
    rows = torch.tensor([values, values[::-1]], dtype=torch.float64) + shift
    found = onto_simplex(rows, torch.ones_like(rows, dtype=torch.bool))
    for row, point in zip(rows.numpy(), found.numpy(), strict=True):
        assert np.allclose(point, bisected(row), atol=1e-8)


def test_onto_simplex_leaves_the_absent_out():
    rows = torch.tensor([[9.0, 0.2, 0.6], [9.0, 8.0, 7.0], [1.0, 2.0, 3.0]])
    present = torch.tensor([[False, True, True], [True, False, False], [False, False, False]])
    expected = torch.tensor([[0.0, 0.3, 0.7], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert torch.allclose(onto_simplex(rows, present), expected)


def test_relative_against_a_loop_by_hand():
    images, targets = toy_batch(3)
    clean = losses(images, targets)
    expected = ascend(images, targets, lambda now: 1 / clean, 0.05, 6)
    assert torch.allclose(create_attack("bim-relative", eps=0.05, steps=6)(ToyNet(), images, targets), expected)
    assert create_aggregator("relative").score(torch.tensor([[1.0, 2.0, 6.0]])).tolist() == [3.0]


@pytest.mark.parametrize("beta", [0.5, 40.0])
def test_minmax_against_a_loop_by_hand(beta):
    images, targets = toy_batch(3)
    clean, gamma = losses(images, targets), 2.0
    weights = np.full((3, 3), 1 / 3)

    def weights_at(now):
        nonlocal weights
        moved = weights - ((now / clean).double().numpy() + gamma * (weights - 1 / 3)) / beta
        weights = np.stack([bisected(row) for row in moved])
        return torch.tensor(weights).float() / clean

    expected = ascend(images, targets, weights_at, 0.1, 8)
    result = create_attack("bim-minmax", eps=0.1, steps=8, beta=beta, gamma=gamma)(ToyNet(), images, targets)
    assert torch.allclose(result, expected, atol=1e-6)


def test_minmax_turns_to_the_task_that_lags():
    aggregator, memory = create_aggregator("minmax", beta=5.0), {}
    gradients, now = some_gradients(3), torch.tensor([[1.0, 3.0, 2.0]]).expand(6, 3)
    for _ in range(3):
        weights = aggregator.next_weights(now, memory)
    assert (weights[:, 0] > weights[:, 2]).all() and (weights[:, 2] > weights[:, 1]).all()
    assert torch.allclose(weights.sum(1), torch.ones(6))
    held = create_aggregator("minmax", beta=5e3, gamma=5e3).next_weights(now, {})
    assert torch.allclose(held, torch.tensor(1 / 3), atol=1e-3)
    assert aggregator.direction(gradients_of(gradients, now, memory)).isfinite().all()


def test_minmax_knows_nothing_of_a_task_without_labels():
    aggregator, memory = create_aggregator("minmax"), {}
    for _ in range(5):
        weights = aggregator.next_weights(torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]), memory)
    assert torch.allclose(weights, torch.tensor([[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]))
    assert aggregator.score(torch.tensor([[0.0, 3.0, 2.0], [0.0, 0.0, 0.0]])).tolist() == [2.0, 0.0]


@pytest.mark.parametrize("power", [1, -1])
def test_wgd_against_a_loop_by_hand(power):
    images, targets = toy_batch(3)
    start = losses(images, targets)

    def weights_at(now):
        rates = (now / start) ** power
        return rates / rates.mean(1, keepdim=True)

    name = "wgd" if power == 1 else "wgd-inverse"
    expected = ascend(images, targets, weights_at, 0.2, 8)
    result = create_attack(f"bim-{name}", eps=0.2, steps=8)(ToyNet(), images, targets)
    assert torch.allclose(result, expected, atol=1e-6)
    assert not torch.equal(result, create_attack("bim-total", eps=0.2, steps=8)(ToyNet(), images, targets))


def test_wgd_starts_afresh_with_every_climb():
    """A climb's first weights are all one, so one step from each of several random points is a step of total."""
    images, targets = toy_batch(4)
    one = {"eps": 0.1, "steps": 1, "restarts": 3}
    expected = create_attack("pgd-total", **one)(ToyNet(), images, targets)
    for name in ("wgd", "wgd-inverse"):
        assert torch.equal(create_attack(f"pgd-{name}", **one)(ToyNet(), images, targets), expected)


def test_smta_weights_and_score():
    aggregator = create_aggregator("smta:depth", spare=0.5)
    assert aggregator.tasks(["segmentation", "depth", "normals"]) == ("depth", "segmentation", "normals")
    assert aggregator.weights(torch.ones(2, 3)).tolist() == [[1.0, -0.25, -0.25]] * 2
    assert aggregator.score(torch.tensor([[3.0, 1.0, 2.0]])).tolist() == [2.25]
    assert aggregator.weights(torch.ones(1, 1)).tolist() == [[1.0]]
    with pytest.raises(UnknownNameError, match="unknown task 'depht'; did you mean 'depth'"):
        create_aggregator("smta:depht").tasks(["depth", "normals"])


def test_smta_spares_what_single_hurts():
    images, targets = toy_batch(16)
    clean = losses(images, targets)
    change = {}
    for name in ("single:depth", "smta:depth"):
        result = create_attack(f"apgd-{name}", eps=0.1, steps=10)(ToyNet(), images, targets)
        change[name] = (losses(result, targets) / clean).mean(0)
    assert change["smta:depth"][1] > 1
    others = [0, 2]
    assert (change["smta:depth"][others] < 1).all() and (change["single:depth"][others] > 1).all()
    nothing = create_attack("bim-smta:depth", eps=0.1, steps=4, spare=0.0)(ToyNet(), images, targets)
    assert torch.equal(nothing, create_attack("bim-single:depth", eps=0.1, steps=4)(ToyNet(), images, targets))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("minmax", {"beta": 0.0}, r"beta 0.0 is outside \(0, ∞\)"),
        ("minmax", {"beta": True}, "beta True is outside"),
        ("minmax", {"gamma": -1}, r"gamma -1 is outside \[0, ∞\)"),
        ("smta:depth", {"spare": float("inf")}, r"spare inf is outside \[0, ∞\)"),
        ("saga", {"rate": -0.1}, "rate -0.1 is outside"),
        ("saga", {"sharpness": None}, "sharpness None is outside"),
        ("relative", {"beta": 1.0}, "relative takes no option 'beta'"),
    ],
)
def test_wrong_options(name, options, message):
    with pytest.raises(InputError, match=message):
        create_aggregator(name, **options)

"""Balls are exact to the last float, whatever the numbers; noise belongs to its image."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlattack.attacks import Threat
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.norms import normalise
from mtlattack.errors import InputError

# Sizes at which x ± ε rounds to a float32 that lies just outside.
AWKWARD = [8 / 255, 1 / 255, 0.1, math.nextafter(2**-5, 0), 2**-5, 1.0, 1e-9, float(np.float32(0.1))]


def images_with_corners(seed: int) -> torch.Tensor:
    images = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    special = torch.tensor([0.0, 1.0, 0.5, 1e-30, 2**-24, 1 - 2**-24, 1 / 3, 128 / 255])
    images[0, 0].view(-1)[:8] = special
    return images


@pytest.mark.parametrize("eps", AWKWARD)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-3, 0.3, 10.0]))
def test_linf_projection_is_exact_and_tight(eps, seed, scale):
    images = images_with_corners(seed)
    ball = Threat("linf", eps).ball(images)
    points = images + scale * torch.randn(images.shape, generator=torch.Generator().manual_seed(seed + 1))
    result = ball.project(points)
    x = images.double()
    assert ((result.double() - x).abs() <= eps).all()
    assert ((result >= 0) & (result <= 1)).all()
    wanted = torch.minimum(torch.maximum(points.double(), (x - eps).clamp_min(0)), (x + eps).clamp_max(1))
    assert ((result.double() - wanted).abs() <= 2**-24).all()
    for bound, far in ((ball.lower, -math.inf), (ball.upper, math.inf)):
        further = torch.nextafter(bound, torch.tensor(far))
        assert (((further.double() - x).abs() > eps) | (further < 0) | (further > 1)).all()
    assert torch.equal(ball.project(result), result)


@pytest.mark.parametrize("eps", [*AWKWARD, 3.0])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-3, 0.3, 10.0]))
def test_l2_projection_is_exact(eps, seed, scale):
    images = images_with_corners(seed)
    ball = Threat("l2", eps).ball(images)
    points = images + scale * torch.randn(images.shape, generator=torch.Generator().manual_seed(seed + 1))
    result = ball.project(points)
    delta = result.double() - images.double()
    for length in delta.flatten(1).norm(dim=1).tolist() + [math.hypot(*row) for row in delta.flatten(1).tolist()]:
        assert length <= eps
    assert ((result >= 0) & (result <= 1)).all()
    full = points.double() - images.double()
    full = full * (eps / full.flatten(1).norm(dim=1)).clamp_max(1)[:, None, None, None]
    assert torch.allclose(result.double(), (images.double() + full).clamp(0, 1), atol=2e-7, rtol=0)


def test_l2_border_does_not_depend_on_how_a_sum_is_rounded():
    for seed in range(50):
        images = images_with_corners(seed)[1:]
        points = (images + 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))).clamp(0, 1)
        eps = (points.double() - images.double()).norm().item()
        result = Threat("l2", eps).ball(images).project(points)
        assert math.sqrt(math.fsum(d * d for d in (result.double() - images.double()).flatten().tolist())) <= eps


def test_norms_of_an_image_are_the_same_alone_and_in_a_batch():
    threads, values = torch.get_num_threads(), torch.rand(2, 3, 200, 200, generator=torch.Generator().manual_seed(0))
    try:
        torch.set_num_threads(2)
        for order in (1, 2):
            assert torch.equal(normalise(values, order)[:1], normalise(values[:1], order))
    finally:
        torch.set_num_threads(threads)


def test_normalise_l1():
    values = torch.tensor([[1.0, -3.0, 0.0, 4.0]]).view(1, 1, 2, 2)
    assert torch.allclose(normalise(values, 1), values / 8)


@pytest.mark.parametrize(
    ("threat", "text"),
    [
        (Threat("linf", 8 / 255), "linf 8/255"),
        (Threat("l2", 0.5), "l2 0.5"),
        (Threat("l1", 12.5), "l1 12.5"),
        (Threat("l0", 50), "l0 50 px"),
        (Threat("patch", 0.05), "patch 5 %"),
        (Threat("linf", 8 / 255, quantized=True), "linf 8/255, 8-bit"),
    ],
)
def test_threat_prints(threat, text):
    assert str(threat) == text


@pytest.mark.parametrize(
    ("norm", "eps", "message"),
    [
        ("linf", 8.0, r"eps 8.0 is outside \(0, 1\]; did you mean 8/255\?"),
        ("linf", 0.0, r"eps 0.0 is outside \(0, 1\] for linf$"),
        ("linf", -0.1, r"eps -0.1 is outside"),
        ("linf", math.nan, "eps nan is outside"),
        ("l2", math.inf, r"eps inf is outside \(0, ∞\) for l2"),
        ("l2", 0.0, "eps 0.0 is outside"),
        ("linf", "8/255", "eps '8/255' is not a number"),
        ("l1", -1.0, r"eps -1.0 is outside \(0, ∞\) for l1"),
        ("l0", 2.5, "eps 2.5 is not a whole number of pixels ≥ 1 for l0"),
        ("l0", 0, "eps 0 is outside"),
        ("patch", 1.5, r"eps 1.5 is outside \(0, 1\] for patch"),
        ("l3", 0.1, "unknown norm 'l3'; known: l0, l1, l2, linf, patch"),
    ],
)
def test_wrong_threats_are_refused(norm, eps, message):
    with pytest.raises(InputError, match=message):
        Threat(norm, eps)


def test_noise_belongs_to_seed_id_and_restart():
    noise = Noise(0, ["a", "b", 7])
    for draw in ("uniform", "in_ball", "in_l1_ball"):
        first = getattr(noise, draw)((3, 4, 4), 0)
        assert torch.equal(getattr(Noise(0, ["7", "a"]), draw)((3, 4, 4), 0), first[[2, 0]])
        others = [getattr(Noise(1, ["a"]), draw)((3, 4, 4), 0), getattr(noise, draw)((3, 4, 4), 1)[:1], first[1:2]]
        assert not any(torch.equal(first[:1], other) for other in others)
        before = torch.random.get_rng_state()
        getattr(noise, draw)((3, 4, 4), 0)
        assert torch.equal(torch.random.get_rng_state(), before)


def test_noise_is_the_same_on_every_machine():
    assert Noise(0, ["nyu-0001"]).uniform((2,), 0)[0].tolist() == [-0.305874228477478, -0.48173272609710693]


def test_noise_fills_the_ball():
    ids = range(2000)
    uniform = Noise(0, ids).uniform((3, 1, 1), 0)
    assert uniform.abs().max() <= 1 and abs(uniform.mean()) < 0.05 and abs(uniform.var() - 1 / 3) < 0.02
    radius = Noise(0, ids).in_ball((3, 1, 1), 0).flatten(1).norm(dim=1)
    assert radius.max() <= 1 + 1e-6 and abs((radius**3).mean() - 0.5) < 0.03
    points = Noise(0, ids).in_l1_ball((3, 1, 1), 0).flatten(1)
    size = points.abs().sum(1)
    assert size.max() <= 1 + 1e-6 and abs((size**3).mean() - 0.5) < 0.03
    # A value alone has the density 3(1 − |z|)²/2: its mean magnitude is 1/4, and both signs are as frequent.
    assert (points.abs().mean(0) - 0.25).abs().max() < 0.02 and points.mean(0).abs().max() < 0.03

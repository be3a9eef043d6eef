"""Every ball: inside to the last float, idempotent, nearest where it says so, the same alone and in a batch."""

import math

import numpy as np
import pytest
import torch
from attack_toys import LinearNet
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from mtlattack.attacks import Threat, create_attack
from mtlattack.attacks.balls.patch import patch_size
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.norms import overwrite
from mtlattack.errors import InputError

SIZES = {
    "linf": [8 / 255, 0.1, 1.0, 1e-9],
    "l2": [0.3, 3.0, 1e-9, 100.0],
    "l1": [0.1, 2.0, 1e-9, 24.0, 100.0, math.nextafter(2**-5, 0)],
    "l0": [1, 5, 19, 20],
    "patch": [1e-9, 0.05, 0.3, 1.0],
}
CASES = [(norm, eps) for norm, sizes in SIZES.items() for eps in sizes]
every_ball = pytest.mark.parametrize(("norm", "eps"), CASES)
many = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 10**6)
scales = st.sampled_from([1e-6, 0.03, 0.3, 10.0])


def images_of(seed: int, batch: int = 3) -> torch.Tensor:
    """5×4 pixels, among them 0, 1, the smallest floats and their like."""
    images = torch.rand(batch, 3, 5, 4, generator=torch.Generator().manual_seed(seed))
    images[0, 0].view(-1)[:8] = torch.tensor([0.0, 1.0, 0.5, 1e-30, 2**-24, 1 - 2**-24, 1 / 3, 128 / 255])
    return images


def points_of(images: torch.Tensor, seed: int, scale: float) -> torch.Tensor:
    return images + scale * torch.randn(images.shape, generator=torch.Generator().manual_seed(seed + 1))


def assert_inside(norm: str, eps: float, images: torch.Tensor, points: torch.Tensor) -> None:
    assert points.dtype == torch.float32 and points.min() >= 0 and points.max() <= 1
    delta = points.double() - images.double()
    if norm == "linf":
        assert delta.abs().max() <= eps
    elif norm == "l2":
        assert all(math.sqrt(math.fsum(d * d for d in row)) <= eps for row in delta.flatten(1).tolist())
    elif norm == "l1":
        assert all(math.fsum(map(abs, row)) <= eps for row in delta.flatten(1).tolist())
        assert (delta.abs().flatten(1).sum(1) <= eps).all()
    elif norm == "l0":
        assert ((delta != 0).any(1).flatten(1).sum(1) <= eps).all()
    else:
        height, width = patch_size(*images.shape[2:], eps)
        rows, columns = (delta != 0).any(0).any(0).nonzero(as_tuple=True)
        top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
        assert ((rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)).all()


@pytest.mark.sampled(3)
@every_ball
@many
@given(seed=seeds, scale=scales)
def test_projection_is_inside_and_idempotent(norm, eps, seed, scale):
    images = images_of(seed)
    ball = Threat(norm, eps).ball(images)
    result = ball.project(points_of(images, seed, scale))
    assert_inside(norm, eps, images, result)
    assert torch.equal(ball.project(result), result)
    assert torch.equal(ball.project(images), images)


@every_ball
@many
@given(seed=seeds)
def test_points_inside_come_back_as_they_are(norm, eps, seed):
    images = 0.2 + 0.6 * images_of(seed)
    ball = Threat(norm, eps).ball(images)
    delta = points_of(torch.zeros_like(images), seed, 1).clamp(-1, 1)
    share = {"linf": 0.9, "l2": 0.9 / 60**0.5, "l1": 0.9 / 60}.get(norm)
    if share is not None:
        points = images + min(share * eps, 0.15) * delta
        assert eps < 1e-8 or not torch.equal(points, images)
    else:
        points = ball.random_start(Noise(seed, [0, 1, 2]), 0)
    assert torch.equal(ball.project(points), points)


@every_ball
@many
@given(seed=seeds, scale=scales)
def test_an_image_does_not_feel_its_batch(norm, eps, seed, scale):
    images = images_of(seed)
    points, noise = points_of(images, seed, scale), Noise(seed, ["a", "b", "c"])
    ball, alone = Threat(norm, eps).ball(images), Threat(norm, eps).ball(images[1:2])
    assert torch.equal(ball.project(points)[1:2], alone.project(points[1:2]))
    assert torch.equal(ball.steepest(points)[1:2], alone.steepest(points[1:2]))
    assert torch.equal(ball.random_start(noise, 2)[1:2], alone.random_start(Noise(seed, ["b"]), 2))


@every_ball
def test_random_starts_are_inside_and_belong_to_seed_id_and_restart(norm, eps):
    images = images_of(0, 50)
    ball = Threat(norm, eps).ball(images)
    start = ball.random_start(Noise(0, range(50)), 0)
    assert_inside(norm, eps, images, start)
    assert torch.equal(start, ball.random_start(Noise(0, range(50)), 0))
    if eps > 1e-3 or norm == "patch":
        for other in (Noise(1, range(50)), Noise(0, range(1, 51))):
            assert not torch.equal(start, ball.random_start(other, 0))
        assert not torch.equal(start, ball.random_start(Noise(0, range(50)), 1))
        assert (start != images).flatten(1).any(1).all()


def test_a_large_image_does_not_feel_its_batch_where_sums_are_split_over_threads():
    threads, generator = torch.get_num_threads(), torch.Generator().manual_seed(0)
    images, points = torch.rand(4, 3, 256, 256, generator=generator), torch.randn(4, 3, 256, 256, generator=generator)
    try:
        torch.set_num_threads(4)
        for norm, eps in (("linf", 0.1), ("l2", 3.0), ("l1", 50.0), ("l0", 60_000), ("patch", 0.2)):
            ball, alone = Threat(norm, eps).ball(images), [Threat(norm, eps).ball(image) for image in images.split(1)]
            for what in ("project", "steepest"):
                each = [getattr(one, what)(point) for one, point in zip(alone, points.split(1), strict=True)]
                assert torch.equal(torch.cat(each), getattr(ball, what)(points))
    finally:
        torch.set_num_threads(threads)


def test_a_random_start_in_l0_is_every_pixel_alike():
    images = torch.full((2000, 3, 2, 2), 0.5)
    start = Threat("l0", 1).ball(images).random_start(Noise(0, range(2000)), 0)
    changed = (start != images).all(1).flatten(1)
    assert (changed.sum(1) == 1).all() and (changed.float().mean(0) - 0.25).abs().max() < 0.03
    values = start.permute(0, 2, 3, 1)[changed.view(-1, 2, 2)]
    assert abs(values.mean() - 0.5) < 0.02 and values.min() < 0.01 and values.max() > 0.99


def length_of_step(norm: str, eps: float, step: torch.Tensor) -> torch.Tensor:
    flat = step.flatten(1)
    if norm in ("l1", "l2"):
        return torch.linalg.vector_norm(flat, ord=int(norm[1]), dim=1)
    largest = step.abs().amax(1).flatten(1).sort(1, descending=True).values
    return largest[:, :eps].mean(1) if norm == "l0" else largest[:, 0]


@every_ball
@pytest.mark.parametrize("scale", [1e-38, 1e-25, 1.0, 1e30])
def test_steepest_has_length_1_at_any_scale_and_zero_stays_zero(norm, eps, scale):
    gradient = scale * torch.randn(3, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    gradient[1] = 0
    step = Threat(norm, eps).ball(torch.rand(3, 3, 5, 4)).steepest(gradient)
    assert length_of_step(norm, eps, step).tolist() == pytest.approx([1, 0, 1], abs=1e-5)
    assert (step * gradient.sign() >= 0).all() and (step * gradient.sign() > 0).flatten(1).any(1).tolist() == [1, 0, 1]


def test_steepest_in_l1_leaves_out_what_the_box_holds():
    images = torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1)
    step = Threat("l1", 1e-3).ball(images).steepest(torch.tensor([9.0, 2.0, -5.0]).view(1, 3, 1, 1))
    assert step.flatten().tolist() == [0, 1, 0]


@settings(max_examples=50, deadline=None)
@given(seed=seeds, scale=st.sampled_from([0.02, 0.2, 1.0, 5.0]), eps=st.sampled_from([0.05, 0.5, 2.0, 20.0]))
def test_l1_projection_is_the_nearest_point(seed, scale, eps):
    """p is nearest to y in a convex set if and only if none of its points c has ⟨y − p, c − p⟩ > 0; half of the largest
    such product bounds how much nearer there is."""
    images = images_of(seed)
    points = points_of(images, seed, scale)
    result = Threat("l1", eps).ball(images).project(points)
    normal = points.double() - result.double()
    best = torch.stack([optimum("l1", eps, *pair) for pair in zip(images.double().split(1), normal, strict=True)])
    ours = (normal * (result.double() - images.double())).sum((1, 2, 3))
    assert (best.squeeze(1) - ours <= 1e-6 * (1 + normal.abs().sum((1, 2, 3)))).all()


@settings(max_examples=25, deadline=None)
@given(seed=seeds, scale=st.sampled_from([0.2, 1.0, 5.0]), eps=st.sampled_from([0.05, 0.5, 2.0]))
def test_l1_projection_is_no_further_than_what_a_solver_finds(seed, scale, eps):
    """The change is the difference of two parts that are not negative, which makes the program smooth."""
    images = images_of(seed)[:1, :, :2, :1]
    points = points_of(images, seed, scale)
    x, delta = (value.double().flatten().numpy() for value in (images, points.double() - images.double()))
    n = len(x)
    found = minimize(
        lambda z: ((z[:n] - z[n:] - delta) ** 2).sum(),
        np.zeros(2 * n),
        jac=lambda z: 2 * np.concatenate([z[:n] - z[n:] - delta, delta - z[:n] + z[n:]]),
        bounds=[*((0, 1 - v) for v in x), *((0, v) for v in x)],
        constraints={"type": "ineq", "fun": lambda z: eps - z.sum(), "jac": lambda z: -np.ones(2 * n)},
        method="SLSQP",
    )
    result = Threat("l1", eps).ball(images).project(points)
    distance = (points.double() - result.double()).square().sum().item()
    assert distance <= found.fun + 1e-6 * (1 + found.fun)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, scale=st.sampled_from([0.2, 1.0, 5.0]), pixels=st.integers(1, 6))
def test_l0_projection_is_the_nearest_point(seed, scale, pixels):
    """Against all choices of so many of 6 pixels."""
    images = images_of(seed)[:1, :, :3, :2]
    points = points_of(images, seed, scale)
    result = Threat("l0", pixels).ball(images).project(points)
    best = math.inf
    for choice in range(2**6):
        kept = torch.tensor([choice >> i & 1 for i in range(6)], dtype=torch.bool).view(3, 2)
        if kept.sum() <= pixels:
            best = min(best, (torch.where(kept, points.clamp(0, 1), images).double() - points.double()).norm().item())
    assert (result.double() - points.double()).norm().item() == pytest.approx(best, abs=1e-9)


def test_l0_keeps_the_first_of_pixels_that_are_worth_the_same():
    images = torch.full((2, 3, 5, 4), 0.5)
    result = Threat("l0", 3).ball(images).project(images + 0.1)
    assert (result != images).all(1).flatten(1).nonzero()[:, 1].tolist() == [0, 1, 2, 0, 1, 2]


def test_l0_wants_no_more_pixels_than_there_are():
    with pytest.raises(InputError, match="eps 21 pixels are more than the 20 of an image of 5×4"):
        Threat("l0", 21).ball(images_of(0))


@pytest.mark.parametrize(
    ("height", "width", "share", "size"),
    [(10, 10, 0.25, (5, 5)), (10, 10, 1e-9, (1, 1)), (4, 6, 1.0, (4, 6)), (6, 4, 1.0, (6, 4)), (10, 40, 0.5, (10, 20)),
     (96, 128, 0.05, (25, 25)), (1, 9, 0.5, (1, 4))],
)  # fmt: skip
def test_patch_covers_its_share(height, width, share, size):
    assert patch_size(height, width, share) == size


def optimum(norm: str, eps: float, images: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The most that Σ w·δ can be, image by image, in the order of what pays most."""
    room = torch.where(weight > 0, 1 - images, images)
    gain = weight.abs() * room
    if norm == "l0":
        return gain.sum(1).flatten(1).topk(int(eps), 1).values.sum(1)
    if norm == "patch":
        height, width = patch_size(*images.shape[2:], eps)
        top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
        return gain[..., top : top + height, left : left + width].sum((1, 2, 3))
    order = weight.abs().expand_as(images).flatten(1).argsort(1, descending=True)
    room = room.flatten(1).gather(1, order)
    spent = (eps - (room.cumsum(1) - room)).clamp_min(0).minimum(room)
    return (spent * weight.abs().expand_as(images).flatten(1).gather(1, order)).sum(1)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("norm", "eps"), [("l1", 0.7), ("l1", 5.0), ("l0", 3), ("l0", 9), ("patch", 0.2)])
@pytest.mark.parametrize(
    ("name", "options", "reached"),
    [
        ("apgd-total", {"steps": 20}, 0.9),
        ("apgd-total", {"steps": 100}, 0.99),
        ("pgd-total", {"steps": 20}, 0.5),
        ("pgd-total", {"steps": 50, "step_size": "long"}, 0.99),
    ],
)
def test_optimum_of_a_linear_model(norm, eps, name, options, reached):
    generator = torch.Generator().manual_seed(0)
    weight, images = torch.randn(3, 8, 8, generator=generator), torch.rand(5, 3, 8, 8, generator=generator)
    if options.get("step_size"):
        options = options | {"step_size": 4 * Threat(norm, eps).radius}
    model = LinearNet({"a": weight})
    targets = {"a": 100 - model(images)["a"]}
    result = create_attack(name, norm=norm, eps=eps, **options)(model, images, targets)
    assert_inside(norm, eps, images, result)
    gain, most = ((result - images) * weight).sum((1, 2, 3)), optimum(norm, eps, images, weight)
    assert (gain <= most * (1 + 1e-5)).all() and gain.mean() >= reached * most.mean()
    if norm in ("l0", "patch") and reached > 0.99:
        changed = result[result != images]
        assert ((changed == 0) | (changed == 1)).all()


@many
@given(seeds, st.sampled_from([1e-38, 1.0, 3e38]))
def test_images_are_overwritten_whole_and_to_the_last_bit(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    images, others = (scale * (2 * torch.rand(5, 3, 4, 4, generator=generator) - 1) for _ in range(2))
    first = torch.rand(5, generator=generator) < 0.5
    expected = torch.where(first.view(-1, 1, 1, 1), others, images)
    overwrite(images, first, others)
    assert torch.equal(images, expected)

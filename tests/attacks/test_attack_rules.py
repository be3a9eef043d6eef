"""The rules for transfer, Adam and the fixed schedule, each against a loop by hand or another library."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from attack_toys import LinearNet, ToyNet, losses_of, toy_batch
from torch import Tensor

from mtlattack.attacks import Threat, create_attack, create_step
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.steps import Decay
from mtlattack.errors import InputError

EPS, STEPS = 0.05, 6
MODEL = ToyNet()


def gradient_at(images: Tensor, targets: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The plain sum of the losses, `[B]`, and its gradient."""
    x = images.detach().clone().requires_grad_()
    score = torch.stack(losses_of(MODEL, x, targets), 1).sum(1)
    return score.detach(), torch.autograd.grad(score.sum(), x)[0]


def run(name: str, images: Tensor, targets: dict[str, Tensor], **options: Any) -> Tensor:
    return create_attack(f"{name}-total", eps=EPS, steps=STEPS, **options)(MODEL, images, targets)


def near(point: Tensor, image: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(point, image - EPS), image + EPS).clamp(0, 1)


def mim_by_hand(
    images: Tensor,
    targets: dict[str, Tensor],
    momentum: float,
    ahead: Callable[[Tensor, Tensor], Tensor] = lambda x, v: x,
    change: Callable[[Tensor], Tensor] = lambda g: g,
) -> Tensor:
    x, v = images, torch.zeros_like(images)
    for _ in range(STEPS):
        gradient = change(gradient_at(ahead(x, v), targets)[1])
        v = momentum * v + gradient / gradient.abs().sum((1, 2, 3), keepdim=True)
        x = near(x + EPS / STEPS * v.sign(), images)
    return x


@pytest.mark.parametrize("momentum", [1.0, 0.5])
def test_nim_looks_ahead_to_where_momentum_alone_leads(momentum: float) -> None:
    images, targets = toy_batch(3)
    expected = mim_by_hand(images, targets, momentum, ahead=lambda x, v: x + EPS / STEPS * momentum * v.sign())
    result = run("nim", images, targets, momentum=momentum)
    assert torch.allclose(result, expected, atol=1e-6)
    assert not torch.equal(result, run("mim", images, targets, momentum=momentum))


def test_without_momentum_nim_is_mim() -> None:
    assert torch.equal(run("nim", *toy_batch(3), momentum=0.0), run("mim", *toy_batch(3), momentum=0.0))


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_heavyball_adds_up_gradients_as_they_are(momentum: float) -> None:
    images, targets = toy_batch(3)
    x, v = Threat("linf", EPS).ball(images).random_start(Noise(0, range(3)), 0), torch.zeros_like(images)
    for _ in range(STEPS):
        v = momentum * v + gradient_at(x, targets)[1]
        x = near(x + 2.5 * EPS / STEPS * v.sign(), images)
    result = run("heavyball", images, targets, momentum=momentum)
    assert torch.allclose(result, x, atol=1e-6)
    assert torch.equal(result, run("pgd", images, targets)) == (momentum == 0)


@pytest.mark.parametrize("kernel", [3, 5, 7, 13])
def test_tim_smooths_the_gradient_with_a_gaussian(kernel: int) -> None:
    images, targets = toy_batch(3)
    at = torch.linspace(-3, 3, kernel, dtype=torch.float64)
    plane = torch.exp(-(at[:, None] ** 2 + at**2) / 2)
    weights = (plane / plane.sum()).expand(3, 1, kernel, kernel)

    def smooth(gradient: Tensor) -> Tensor:
        return F.conv2d(gradient.double(), weights, padding=kernel // 2, groups=3).float()

    expected = mim_by_hand(images, targets, 1.0, change=smooth)
    result = run("tim", images, targets, kernel=kernel)
    assert torch.allclose(result, expected, atol=1e-6) and not torch.equal(result, run("mim", images, targets))


def test_a_kernel_of_one_pixel_smooths_nothing() -> None:
    assert torch.equal(run("tim", *toy_batch(3), kernel=1), run("mim", *toy_batch(3)))


@pytest.mark.parametrize("options", [{"diversity": 0.0}, {"smallest": 1.0}])
def test_dim_without_diversity_is_mim(options: dict[str, float]) -> None:
    assert torch.equal(run("dim", *toy_batch(3), **options), run("mim", *toy_batch(3)))


def test_dim_draws_a_new_look_for_every_image_and_step() -> None:
    ball = Threat("linf", EPS).ball(torch.rand(40, 3, 6, 6))
    rule = create_step("dim", steps=25, diversity=0.3, smallest=0.6)
    views = list(rule.views(ball, Noise(0, range(40)), 0))
    sizes = torch.stack([view.size for view in views])
    changed = sizes[sizes < 1]
    assert sizes.shape == (25, 40) and len(changed.unique()) == len(changed)
    assert 0.25 < (sizes < 1).float().mean() < 0.35
    assert 0.6 <= changed.min() < 0.61 and 0.79 < changed.mean() < 0.81
    assert all(0 <= share.min() and share.max() < 1 for view in views for share in (view.top, view.left))
    alone = list(rule.views(Threat("linf", EPS).ball(torch.rand(1, 3, 6, 6)), Noise(0, [7]), 0))
    assert torch.equal(torch.cat([view.size for view in alone]), sizes[:, 7])
    other = list(rule.views(ball, Noise(1, range(40)), 0))
    assert not torch.equal(other[0].size, views[0].size)


def test_dim_takes_its_gradients_through_the_views_it_draws() -> None:
    images, targets = toy_batch(3)
    rule = create_step("dim", steps=STEPS)
    views = iter(list(rule.views(Threat("linf", EPS).ball(images), Noise(0, range(3)), 0)))
    x, v = images, torch.zeros_like(images)
    for view in views:
        point = x.clone().requires_grad_()
        predictions = {name: view.prediction(value) for name, value in MODEL.eval()(view.image(point)).items()}
        score = sum(task.loss(predictions[name], targets[name]) for name, task in MODEL.tasks.items())
        (gradient,) = torch.autograd.grad(score.sum(), point)
        v = v + gradient / gradient.abs().sum((1, 2, 3), keepdim=True)
        x = near(x + EPS / STEPS * v.sign(), images)
    assert torch.allclose(run("dim", images, targets), x, atol=1e-6)


def by_hand(images: Tensor, targets: dict[str, Tensor], gradients: Callable[[Tensor, int], Tensor]) -> Tensor:
    """MIM on what is given for the gradient at the points of each step."""
    x, v = images, torch.zeros_like(images)
    for step in range(STEPS):
        gradient = gradients(x, step)
        v = v + gradient / gradient.abs().sum((1, 2, 3), keepdim=True)
        x = near(x + EPS / STEPS * v.sign(), images)
    return x


def seen_through(points: Tensor, targets: dict[str, Tensor], view: Any) -> Tensor:
    """The gradient of the plain sum of the losses through a view."""
    point = points.clone().requires_grad_()
    predictions = {name: view.prediction(value) for name, value in MODEL.eval()(view.image(point)).items()}
    score = sum(task.loss(predictions[name], targets[name]) for name, task in MODEL.tasks.items())
    return torch.autograd.grad(score.sum(), point)[0]


def test_sim_adds_the_gradients_of_darker_copies() -> None:
    images, targets = toy_batch(3)

    def gradients(x: Tensor, step: int) -> Tensor:
        point = x.clone().requires_grad_()
        losses = [torch.stack(losses_of(MODEL, point / 2**i, targets), 1).sum() for i in range(3)]
        return torch.autograd.grad(sum(losses) / 3, point)[0]

    assert torch.allclose(run("sim", images, targets, copies=3), by_hand(images, targets, gradients), atol=1e-6)
    assert torch.equal(run("sim", images, targets, copies=1), run("mim", images, targets))


def test_vmi_corrects_by_the_variance_around_the_last_point() -> None:
    images, targets = toy_batch(3)
    around, neighbours = 1.5 * EPS, 2
    variance = torch.zeros_like(images)

    def gradients(x: Tensor, step: int) -> Tensor:
        nonlocal variance
        gradient, found = gradient_at(x, targets)[1], torch.zeros_like(x)
        for i in range(neighbours):
            drawn = Noise(0, range(3), f"vmi {step} {i}").uniform(x.shape[1:], 0)
            found += gradient_at((x + around * drawn).clamp(0, 1), targets)[1] / neighbours
        corrected, variance = gradient + variance, found - gradient
        return corrected

    result = run("vmi", images, targets, neighbours=neighbours)
    assert torch.allclose(result, by_hand(images, targets, gradients), atol=1e-6)
    assert not torch.equal(result, run("mim", images, targets))


def test_vmi_does_not_look_around_its_last_point() -> None:
    assert torch.equal(
        *(create_attack(f"{name}-total", eps=EPS, steps=1)(MODEL, *toy_batch(2)) for name in ("vmi", "mim"))
    )


def bsr_views(images: Tensor, ids: Any, **options: int) -> list[Any]:
    return list(create_step("bsr", **options).views(Threat("linf", EPS).ball(images), Noise(0, ids), 0))


def test_bsr_adds_the_gradients_through_the_views_it_draws() -> None:
    images, targets = toy_batch(3)
    views = bsr_views(images, range(3), steps=STEPS, copies=2)
    assert len(views) == 2 * STEPS

    def gradients(x: Tensor, step: int) -> Tensor:
        return seen_through(x, targets, views[2 * step]) + seen_through(x, targets, views[2 * step + 1])

    assert torch.allclose(run("bsr", images, targets, copies=2), by_hand(images, targets, gradients), atol=1e-6)
    assert torch.equal(run("bsr", images, targets, copies=1, blocks=1), run("mim", images, targets))


def test_bsr_draws_other_blocks_for_every_image_and_copy() -> None:
    images = torch.rand(40, 3, 6, 6)
    views = bsr_views(images, range(40), steps=5, copies=4, blocks=3)
    widths = torch.stack([torch.diff(view.cuts, prepend=torch.zeros(40, 1)) for view in views])
    assert len(widths.flatten().unique()) > 0.99 * widths.numel()
    assert widths.amin() > 0.19 and widths.amax() < 0.51 and torch.allclose(widths.sum(2), torch.ones(20, 40))
    orders = torch.stack([view.ranks for view in views]).flatten(0, 1)
    assert torch.equal(orders.sort(1).values, torch.arange(3).expand(800, 3))
    assert min(torch.unique(orders, dim=0, return_counts=True)[1]) > 100  # of 133 expected
    assert 0.4 < torch.stack([view.across for view in views]).float().mean() < 0.6
    alone = bsr_views(images[:1], [7], steps=5, copies=4, blocks=3)
    assert all(torch.equal(one.cuts_inside[0], view.cuts_inside[7]) for one, view in zip(alone, views, strict=True))


class Tracked(Objective):
    """Keeps the points at which gradients are taken, with their scores."""

    seen: list[tuple[Tensor, Tensor]] = []

    def gradient(self, points: Tensor, view: Any = None) -> tuple[Tensor, Tensor]:
        score, direction = super().gradient(points, view)
        self.seen.append((points, score))
        return score, direction


def way(name: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[list[Tensor], Tensor]:
    """Points at which a run takes gradients, and what it returns; checks that this is the best of them or the last."""
    Tracked.seen = []
    monkeypatch.setattr("mtlattack.attacks.composed.Objective", Tracked)
    images, targets = toy_batch(5)
    result = run(name, images, targets, **options)
    points = [points for points, _ in Tracked.seen]
    best = torch.stack([score for _, score in Tracked.seen]).amax(0)
    reached, _ = gradient_at(result, targets)
    assert (reached >= best - 1e-6).all()
    return points, result


@pytest.mark.parametrize(("beta1", "beta2", "step"), [(0.5, 0.999, 0.05), (0.9, 0.99, 0.01), (0.0, 0.0, 0.02)])
def test_adam_goes_the_way_of_torchs_adam(
    beta1: float, beta2: float, step: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    points, _ = way("adam", monkeypatch, beta1=beta1, beta2=beta2, step_size=step)
    images, targets = toy_batch(5)
    x = images.clone().requires_grad_()
    optimizer = torch.optim.Adam([x], lr=step, betas=(beta1, beta2), eps=1e-12, maximize=True)
    for point in points:
        torch.testing.assert_close(point, x.detach(), atol=1e-5, rtol=0)
        gradient = gradient_at(x, targets)[1]
        x.grad = gradient / gradient.square().sum((1, 2, 3), keepdim=True).sqrt()
        optimizer.step()
        with torch.no_grad():
            x.copy_(near(x, images))


def test_adam_takes_tiny_gradients_for_what_they_are() -> None:
    """g² of 1e-25 is no float; a task that does not move an image leaves it where it is."""
    weight = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    images = torch.full((1, 3, 4, 4), 0.5)
    for scale, moves in ((1e-25, True), (0.0, False)):
        model = LinearNet({"a": scale * weight})
        result = create_attack("adam-total", eps=0.1, steps=2)(model, images, {"a": torch.ones(1)})
        # The closing score is too coarse to see the change: the way itself is looked at.
        path = create_step("adam", steps=2).path(Threat("linf", 0.1).ball(images), images)
        next(path)
        assert torch.equal(path.send(scale * weight[None]), images) != moves
        assert result.isfinite().all()


def test_decay_goes_by_its_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    points, _ = way("decay", monkeypatch)
    images, targets = toy_batch(5)
    x = before = images
    for k, point in enumerate(points, 1):
        torch.testing.assert_close(point, x, atol=1e-6, rtol=0)
        length = 2 * EPS * (1 / 16) ** ((min(k, STEPS - 1) - 1) / (STEPS - 1))
        target = near(x + length * gradient_at(x, targets)[1].sign(), images)
        following = target if k == 1 else near(x + 0.75 * (target - x) + 0.25 * (x - before), images)
        before, x = x, following


@pytest.mark.parametrize("steps", [1, 2, 3, 20])
def test_decays_lengths(steps: int) -> None:
    ball = Threat("linf", 0.1)
    lengths = Decay(steps=steps).lengths(ball)
    assert len(lengths) == steps and lengths[0] == pytest.approx(0.2)
    assert lengths[-1] == lengths[max(steps - 2, 0)]
    ratios = [b / a for a, b in zip(lengths[:-1], lengths[1:-1], strict=False)]
    assert ratios == pytest.approx([(1 / 16) ** (1 / max(steps - 1, 1))] * len(ratios))
    assert Decay(steps=steps, step_size=0.3).lengths(ball)[0] == pytest.approx(0.3)


@pytest.mark.parametrize("name", ["adam", "decay"])
def test_restarts_only_help(name: str) -> None:
    images, targets = toy_batch(8)
    once, more = (gradient_at(run(name, images, targets, restarts=r), targets)[0] for r in (1, 3))
    assert (more >= once).all() and (more > once).any()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dim", {"diversity": 1.5}, r"diversity 1.5 is outside \[0, 1\]"),
        ("dim", {"smallest": 0.0}, r"smallest 0.0 is outside \(0, 1\]"),
        ("tim", {"kernel": 4}, "kernel 4 is not an odd number"),
        ("tim", {"kernel": 3.0}, "kernel 3.0 is not an odd number"),
        ("adam", {"beta1": 1.0}, r"beta1 1.0 is outside \[0, 1\)"),
        ("adam", {"beta2": -0.1}, r"beta2 -0.1 is outside \[0, 1\)"),
        ("sim", {"copies": 0}, "copies 0 is not a whole number"),
        ("bsr", {"copies": 2.0}, "copies 2.0 is not a whole number"),
        ("bsr", {"blocks": 0}, "blocks 0 is not a whole number"),
        ("vmi", {"neighbours": 0}, "neighbours 0 is not a whole number"),
        ("vmi", {"around": 0.0}, r"around 0.0 is outside \(0, ∞\)"),
        ("nim", {"momentum": 2.0}, "momentum 2.0 is outside"),
        ("heavyball", {"momentum": -0.5}, "momentum -0.5 is outside"),
        ("square", {"area": 0.0}, r"area 0.0 is outside \(0, 1\]"),
        ("square", {"steps": 0}, "steps 0 is not a whole number"),
        ("noise", {"restarts": 0}, "restarts 0 is not a whole number"),
        ("mim", {"momentum": "much"}, "momentum 'much' is outside"),
        ("dim", {"diversity": "much"}, "diversity 'much' is outside"),
        ("dim", {"smallest": True}, "smallest True is outside"),
        ("square", {"area": "half"}, "area 'half' is outside"),
        ("adam", {"beta1": "half"}, "beta1 'half' is outside"),
        ("pgd", {"step_size": True}, "step_size True is outside"),
    ],
)
def test_wrong_options(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_step(name, **options)

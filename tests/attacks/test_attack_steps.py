"""The step rules against closed forms, hand-written loops, and Algorithm 1 of the APGD paper for one image."""

import pytest
import torch
from aggregator_toys import GRAM
from attack_toys import LinearNet, ToyNet, losses_of, toy_batch

from mtlattack.attacks import Threat, create_attack
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.steps import MIM
from mtlattack.attacks.steps.apgd import _checkpoints

STEPS = {
    "fgsm": {},
    "bim": {"steps": 10},
    "pgd": {"steps": 20},
    "mim": {"steps": 10},
    "apgd": {"steps": 20},
    "nim": {"steps": 10},
    "decay": {"steps": 20},
    "adam": {"steps": 20},
}
IN_L2 = [step for step in STEPS if step != "adam"]
AGGREGATORS = ["single:a", "total", "signsum", "dgba"]
# Weights of theirs stay positive where tasks do not meet.
BALANCED = [*GRAM, "minmax", "relative", "saga", "wgd", "wgd-inverse"]


def disjoint_net(size: int = 4) -> LinearNet:
    """Two tasks of equal strength that look at different pixels, so any weighting points to the same corner."""
    weight = torch.randn(3, size, size, generator=torch.Generator().manual_seed(0))
    half = torch.zeros(3, size, size)
    half[..., ::2] = 1
    a, b = weight * half, weight * (1 - half)
    return LinearNet({"a": a / a.norm(), "b": b / b.norm()})


def level_batch(model: LinearNet, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Targets that make every clean loss 10."""
    return {name: 10 - values for name, values in model(images).items()}


def followed(model: LinearNet, aggregator: str) -> torch.Tensor:
    return model.weights["a"] if aggregator == "single:a" else model.weights["a"] + model.weights["b"]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("step", "aggregator"),
    [(step, aggregator) for step in STEPS for aggregator in [*AGGREGATORS, *BALANCED]
     if step in ("fgsm", "apgd") or aggregator in ("total", "dgba")],
)  # fmt: skip
def test_linf_optimum_of_a_linear_model(step, aggregator):
    model, eps = disjoint_net(), 0.1
    images = torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    result = create_attack(f"{step}-{aggregator}", eps=eps, **STEPS[step])(model, images, level_batch(model, images))
    weight = followed(model, aggregator)
    optimum = (images + eps * weight.sign()).clamp(0, 1)
    looked_at = (weight != 0).expand_as(images)
    assert torch.allclose(result[looked_at], optimum[looked_at], atol=1e-6)
    if step != "pgd":
        assert torch.equal(result[~looked_at], images[~looked_at])


@pytest.mark.parametrize("aggregator", ["single:a", "total", "dgba"])
@pytest.mark.parametrize("step", IN_L2)
def test_l2_optimum_of_a_linear_model(step, aggregator):
    model, eps = disjoint_net(), 0.2
    images = 0.3 + 0.4 * torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    options = STEPS[step] | ({"step_size": eps} if step == "pgd" else {})
    attack = create_attack(f"{step}-{aggregator}", norm="l2", eps=eps, **options)
    result = attack(model, images, level_batch(model, images))
    weight = followed(model, aggregator)
    optimum = images + eps * weight / weight.norm()
    assert torch.allclose(result, optimum, atol=1e-4)


def clean_gradient(model, images, targets):
    """The plain sum of the losses (one value an image) and its gradient."""
    x = images.detach().clone().requires_grad_()
    score = torch.stack(losses_of(model, x, targets), 1).sum(1)
    return score.detach(), torch.autograd.grad(score.sum(), x)[0]


@pytest.mark.parametrize("momentum", [1.0, 0.5, 0.0])
def test_mim_against_a_loop_by_hand(momentum):
    model, (images, targets) = ToyNet(), toy_batch(3)
    eps, steps = 0.05, 6
    result = create_attack("mim-total", eps=eps, steps=steps, momentum=momentum)(model, images, targets)
    for i in range(3):
        one, truth = images[i : i + 1], {name: value[i : i + 1] for name, value in targets.items()}
        x, velocity = one, torch.zeros_like(one)
        for _ in range(steps):
            _, gradient = clean_gradient(model, x, truth)
            velocity = momentum * velocity + gradient / gradient.abs().sum()
            x = torch.minimum(torch.maximum(x + eps / steps * velocity.sign(), one - eps), one + eps).clamp(0, 1)
        assert torch.allclose(result[i : i + 1], x, atol=1e-6)
    plain = create_attack("bim-total", eps=eps, steps=steps)(model, images, targets)
    assert torch.equal(result, plain) == (momentum == 0)


def test_mim_velocity_is_normalised_by_the_l1_norm_of_each_image():
    gradient = torch.tensor([[3.0, -1.0, 0.0], [0.0, 0.0, 50.0]]).view(2, 3, 1, 1)
    velocity = MIM(momentum=0.5).velocity(gradient, torch.ones(2, 3, 1, 1))
    assert velocity.flatten(1).tolist() == [[1.25, 0.25, 0.5], [0.5, 0.5, 1.5]]


def test_pgd_from_known_noise_by_hand(monkeypatch):
    model, (images, targets) = ToyNet(), toy_batch(3)
    eps, steps = 0.05, 4
    monkeypatch.setattr("mtlattack.attacks.noise.Noise.uniform", lambda self, shape, restart: torch.ones(3, *shape))
    result = create_attack("pgd-total", eps=eps, steps=steps)(model, images, targets)
    x = (images + eps).clamp(0, 1)
    for _ in range(steps):
        x = x + 2.5 * eps / steps * clean_gradient(model, x, targets)[1].sign()
        x = torch.minimum(torch.maximum(x, images - eps), images + eps).clamp(0, 1)
    assert torch.allclose(result, x, atol=1e-6)


def test_pgd_keeps_the_best_restart_of_each_image():
    model, (images, targets) = ToyNet(), toy_batch(8)
    ends = []

    class Spy(Objective):
        def score(self, points):
            score = super().score(points)
            ends.append((points, score))
            return score

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtlattack.attacks.composed.Objective", Spy)
        result = create_attack("pgd-dgba", eps=0.3, steps=2, restarts=4)(model, images, targets)
    winner = torch.stack([score for _, score in ends]).argmax(0)
    assert len(winner.unique()) > 1
    assert torch.equal(result, torch.stack([points for points, _ in ends])[winner, torch.arange(8)])
    assert torch.equal(ends[0][0], create_attack("pgd-dgba", eps=0.3, steps=2)(model, images, targets))


@pytest.mark.parametrize(
    ("steps", "at"),
    [
        (100, [22, 41, 57, 70, 80, 87, 93, 99]),
        (20, [4, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]),
        (1, []),
        (5, [1, 2, 3, 4]),
    ],
)
def test_checkpoints(steps, at):
    assert list(_checkpoints(steps)) == at


def reference_apgd(value_and_gradient, image, project, steepest, eps, steps, steadily):
    """Algorithm 1 of Croce & Hein 2020 for a single image, as plain Python; every iterate is evaluated afresh.

    `steadily` leaves out the half of condition 2 that asks whether the best point is a new one.
    """
    checkpoints, width = [0], max(int(0.22 * steps), 1)
    while checkpoints[-1] + width <= steps:
        checkpoints.append(checkpoints[-1] + width)
        width = max(width - max(int(0.03 * steps), 1), max(int(0.06 * steps), 1))
    eta, halvings = 2 * eps, 0
    xs = [image, project(image + eta * steepest(value_and_gradient(image)[1]))]
    best_x, best_f = image, value_and_gradient(image)[0]
    etas_changed, best_at = {0: False}, {0: best_f}
    rises = {}
    for k in range(1, steps + 1):
        f = value_and_gradient(xs[k])[0]
        rises[k] = f > value_and_gradient(xs[k - 1])[0]
        if f > best_f:
            best_x, best_f = xs[k], f
        current = xs[k]
        if k in checkpoints[1:]:
            last = checkpoints[checkpoints.index(k) - 1]
            condition1 = sum(rises[i] for i in range(last + 1, k + 1)) < 0.75 * (k - last)
            condition2 = not etas_changed[last] and (steadily or best_at[last] == best_f)
            etas_changed[k], best_at[k] = condition1 or condition2, best_f
            if etas_changed[k]:
                eta, halvings = eta / 2, halvings + 1
                current = best_x
        if k == steps:
            return best_x, halvings
        z = project(current + eta * steepest(value_and_gradient(current)[1]))
        following = project(current + 0.75 * (z - current) + 0.25 * (current - xs[k - 1]))
        xs[k] = current
        xs.append(following)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("steadily", [True, False])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [1, 22])
def test_apgd_against_algorithm_1(norm, steps, steadily):
    """The ball is ours, tested on its own: a float of difference grows over the steps, and decisions are compared."""
    model, (images, targets) = ToyNet(), toy_batch(6)
    eps = 0.15 if norm == "linf" else 1.0
    attack = create_attack("apgd-total", norm=norm, eps=eps, steps=steps, halve_steadily=steadily)
    result = attack(model, images, targets)
    halvings = []
    for i in range(6):
        one, truth = images[i : i + 1], {name: value[i : i + 1] for name, value in targets.items()}

        ball = Threat(norm, eps).ball(one)

        def value_and_gradient(x, truth=truth):
            return clean_gradient(model, x, truth)

        expected, count = reference_apgd(value_and_gradient, one, ball.project, ball.steepest, eps, steps, steadily)
        halvings.append(count)
        assert torch.allclose(result[i : i + 1], expected, atol=1e-6)
    assert steps < 20 or len(set(halvings)) > 1


def test_apgd_judges_each_image_by_itself():
    """An image at its optimum keeps halving; its neighbour's steps must not change."""
    images, targets = toy_batch(4)
    attack = create_attack("apgd-dgba", eps=0.2, steps=30)
    alone = attack(ToyNet(), images[:1], {name: value[:1] for name, value in targets.items()})
    assert torch.equal(attack(ToyNet(), images, targets)[:1], alone)


@pytest.mark.parametrize("restarts", [1, 2])
@pytest.mark.parametrize("aggregator", AGGREGATORS)
def test_apgd_stays_at_a_clean_image_that_is_the_peak(aggregator, restarts):
    """The gradient at the clean image is not zero, yet every step along it leads down."""

    class Peak(LinearNet):
        def __call__(self, images):
            fall = 5 * (images - 0.5).abs().sum((1, 2, 3))
            return {name: value - fall for name, value in super().__call__(images).items()}

    model, images = Peak(disjoint_net().weights), torch.full((3, 3, 4, 4), 0.5)
    targets = {name: 100 - values for name, values in model(images).items()}
    attack = create_attack(f"apgd-{aggregator}", eps=0.1, steps=10, restarts=restarts)
    assert torch.equal(attack(model, images, targets), images)
    assert not torch.equal(create_attack(f"fgsm-{aggregator}", eps=0.1)(model, images, targets), images)


def test_apgd_turns_back_where_steps_rise_but_stay_below_the_best():
    """Condition 2 alone: one fall, then rises that would pass the best only after the first checkpoint."""
    weight, eps, clean = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0)), 0.1, 0.5

    class Spike(LinearNet):
        def __call__(self, images):
            at_clean = (images == clean).flatten(1).all(1)
            height = 0.7 * eps * weight.abs().sum()
            return {name: value + height * at_clean for name, value in super().__call__(images).items()}

    images, targets = torch.full((2, 3, 4, 4), clean), {"a": torch.full((2,), 100.0)}
    # From the first checkpoint on, 2 rises in 3 steps are too few and condition 1 keeps turning back.
    attack = create_attack("apgd-total", eps=eps, steps=20, step_size=eps / 20, halve_steadily=False)
    assert torch.equal(attack(Spike({"a": weight}), images, targets), images)
    walk = create_attack("bim-total", eps=eps, steps=20)(Spike({"a": weight}), images, targets)
    assert torch.allclose(walk, images + eps * weight.sign())


def test_apgd_restarts_only_help():
    model, (images, targets) = ToyNet().eval(), toy_batch(8)
    scores = []
    for restarts in (1, 3):
        attack = create_attack("apgd-dgba", eps=0.3, steps=4, restarts=restarts)
        result = attack(model, images, targets)
        with torch.no_grad():
            scores.append(attack.aggregator.score(torch.stack(losses_of(model, result, targets), 1)))
    assert (scores[1] >= scores[0]).all() and (scores[1] > scores[0]).any()

"""Targeted attacks: they reach a known optimum, lead down, stand still at their goal, and feel no batch."""

from collections.abc import Mapping

import pytest
import torch
from attack_toys import Counted, ToyNet, losses_of, toy_batch
from torch import Tensor, nn

from mtlattack.attacks import create_attack
from mtlattack.attacks.aggregators import AGGREGATORS, create_aggregator
from mtlattack.attacks.objective import Descent
from mtlattack.attacks.options import TargetError
from mtlattack.attacks.posing import posed
from mtlattack.attacks.standalone import ATTACKS, follows_aggregator
from mtlattack.attacks.steps import STEPS, step_options
from mtlattack.attacks.targets import goals_of, led
from mtlattack.errors import InputError
from mtlattack.tasks import Depth, EdgeTexture, alone

EPS = 8 / 255
TARGET = {"segmentation": "1->2", "depth": "x1.5", "normals": "y30"}
LEADING = [kind for kind in AGGREGATORS if not AGGREGATORS.get(kind).why_no_target()]


def named(kind: str) -> str:
    return f"{kind}:depth" if AGGREGATORS.get(kind).needs_task else kind


class Red(nn.Module):
    """Depth is a multiple of the red channel: what an attack can do to it is known pixel by pixel."""

    slope = 4.0

    def __init__(self) -> None:
        super().__init__()
        self.tasks = {"depth": Depth()}

    def forward(self, images: Tensor) -> Mapping[str, Tensor]:
        return {"depth": self.slope * images[:, :1]}


def red_batch() -> tuple[Tensor, dict[str, Tensor]]:
    """Labels to which a factor of 2 is up, near, or down of the prediction; some pixels without one."""
    generator = torch.Generator().manual_seed(0)
    images = 0.2 + 0.6 * torch.rand(4, 3, 6, 6, generator=generator)
    labels = 4 * images[:, 0] / 2 + 0.3 * torch.randn(4, 6, 6, generator=generator)
    labels = labels.clamp_min(0.01)
    labels[:, 0, 0] = 0
    return images, {"depth": labels}


@pytest.mark.parametrize("aggregator", ["total", "single:depth", "relative", "average", "signsum"])
def test_the_known_optimum_is_reached(aggregator: str) -> None:
    model, (images, targets) = Red(), red_batch()
    attack = create_attack(f"apgd-{aggregator}", eps=EPS, steps=100, target={"depth": "x2"})
    found = model(attack(model, images, targets))["depth"][:, 0]
    goal, clean = 2 * targets["depth"], model(images)["depth"][:, 0]
    best = ((goal - clean).abs() - model.slope * EPS).clamp_min(0)
    valid = targets["depth"] > 0
    assert (best[valid] == 0).any() and (best[valid] > 0).any()
    torch.testing.assert_close((goal - found).abs()[valid], best[valid], rtol=0, atol=5e-3)
    torch.testing.assert_close(found[~valid], clean[~valid])


@pytest.mark.sampled(3)
@pytest.mark.parametrize("step", [step for step in STEPS if step != "noise"])
def test_every_step_rule_goes_nearer(step: str) -> None:
    model, (images, targets) = Red(), red_batch()
    options = {"steps": 30} if "steps" in step_options(step) else {}
    attack = create_attack(f"{step}-total", eps=EPS, target={"depth": "x2"}, **options)
    goal = {"depth": 2 * targets["depth"]}
    (before,), (after,) = (losses_of(model, x, goal) for x in (images, attack(model, images, targets)))
    assert after.mean() < before.mean()


@pytest.mark.parametrize("kind", LEADING)
def test_every_aggregator_that_leads_goes_nearer_in_all_its_tasks_together(kind: str) -> None:
    model, (images, targets) = ToyNet(), toy_batch(3)
    attack = create_attack(f"bim-{named(kind)}", eps=EPS, steps=3, target=TARGET)
    goals = {name: goal.of(targets[name]) for name, goal in attack.goals(model.tasks).items()}
    before, after = (torch.stack(losses_of(model, x, goals), 1) for x in (images, attack(model, images, targets)))
    names = list(create_aggregator(named(kind)).tasks(list(model.tasks)))
    looked_at = [list(model.tasks).index(name) for name in names]
    ratio = (after / before)[:, looked_at]
    assert ratio.mean() < 1 and (ratio.log().mean(1) < 0).float().mean() > 0.8


def test_at_its_goal_it_stands_still() -> None:
    """A perfect model, led to what it says already: no gradient, and no point is better."""
    model = Red()
    images, _ = red_batch()
    targets = {"depth": model(images)["depth"][:, 0]}
    targets = {"depth": targets["depth"] / 2}
    for step in ("apgd", "pgd", "fgsm"):
        found = create_attack(f"{step}-total", eps=EPS, target={"depth": "x2"})(model, images, targets)
        if step == "pgd":  # It starts at noise, and comes back.
            assert (found[:, 0] - images[:, 0]).abs().max() < 0.5 * EPS
        else:
            assert torch.equal(found, images)


class Both(Red):
    """Edges are the red channel, too."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks = {"depth": Depth(), "edge_texture": EdgeTexture()}

    def forward(self, images: Tensor) -> Mapping[str, Tensor]:
        return {**super().forward(images), "edge_texture": images[:, :1]}


@pytest.mark.parametrize("offset", [0.0, -0.1, 0.5])
def test_one_task_is_led_while_the_other_stays(offset: float) -> None:
    """Depth can only grow where edges do: below their labels that is welcome, above it is not worth it."""
    model, (images, _) = Both(), red_batch()
    targets = {"depth": 4 * images[:, 0], "edge_texture": images[:, 0] + offset}
    goals = {"depth": "x3", "edge_texture": "keep"}
    held, free = (
        create_attack("apgd-relative", eps=EPS, target=target)(model, images, targets)
        for target in (goals, {"depth": "x3"})
    )
    assert (free[:, 0] > images[:, 0]).all()
    assert torch.equal(held, free if offset > 0 else images)


def test_a_kept_task_costs_nothing_until_it_becomes_worse() -> None:
    """At the clean image only the others are followed; where it is worse, it is too."""
    model, (images, targets) = ToyNet().eval(), toy_batch(4)
    goals = {"depth": "x2", "normals": "keep"}
    with posed(model, images, targets) as problem:
        for kind in ("total", "relative"):
            aggregator = create_aggregator(kind)
            descent = Descent(led(problem, goals_of(goals, model.tasks)), aggregator, kept=["normals"])
            alone = Descent(led(problem, goals_of({"depth": "x2"}, model.tasks)), aggregator)
            here, there = descent.gradient(images)[1], alone.gradient(images)[1]
            torch.testing.assert_close(here, there)
            moved = (images + 0.2 * torch.sign(torch.randn_like(images))).clamp(0, 1)
            losses, direction = descent.ascent(moved)
            worse = losses[:, 1] > descent.losses(images)[:, 1]
            assert worse.any()
            differs = (direction != alone.gradient(moved)[1]).flatten(1).any(1)
            assert torch.equal(differs, worse)


@pytest.mark.parametrize("name", ["apgd-relative", "pgd-mgda", "square-total", "apgd-total+dlr"])
def test_an_image_does_not_feel_its_batch(name: str) -> None:
    model, (images, targets) = ToyNet(), toy_batch(6)
    attack = create_attack(name, eps=EPS, steps=4, target=TARGET)
    together = attack(model, images, targets, range(6))
    back = attack(model, images.flip(0), {n: t.flip(0) for n, t in targets.items()}, range(5, -1, -1)).flip(0)
    apart = [attack(model, images[i : i + 1], {n: t[i : i + 1] for n, t in targets.items()}, [i]) for i in range(6)]
    assert torch.equal(together, back) and torch.equal(together, torch.cat(apart))


def test_it_is_the_untargeted_descent_on_other_labels() -> None:
    """The first step is the opposite of what an attack on the goal's labels takes."""
    model, (images, targets) = ToyNet(), toy_batch(4)
    images = images.clamp(0.1, 0.9)
    goals = {name: alone(task).goal(TARGET[name]).of(targets[name]) for name, task in model.tasks.items()}
    led = create_attack("fgsm-total", eps=EPS, target=TARGET)(model, images, targets) - images
    away = create_attack("fgsm-total", eps=EPS)(model, images, goals) - images
    torch.testing.assert_close(led, -away, rtol=0, atol=1e-6)


@pytest.mark.parametrize("aggregator", ["total", "mgda", "single:depth"])
def test_passes_are_those_of_the_tasks_with_a_goal(aggregator: str) -> None:
    model, (images, targets) = Counted(ToyNet()), toy_batch(2)
    attack = create_attack(f"pgd-{aggregator}", eps=EPS, steps=3, target={"depth": "x2", "normals": "keep"})
    attack(model, images, targets)
    cost = attack.cost(3)
    assert (model.forwards, model.backwards["images"]) == (cost.forward, cost.backward)
    assert model.backwards["segmentation"] == 0


def test_config_makes_it_again_and_only_where_there_is_a_target() -> None:
    attack = create_attack("apgd-relative", eps=EPS, target=TARGET)
    config = attack.config()
    assert config["target"] == TARGET and create_attack(**config).config() == config
    assert str(attack) == "apgd-relative (linf 8/255) to segmentation 1->2, depth x1.5, normals y30"
    assert "target" not in create_attack("apgd-relative", eps=EPS).config()


@pytest.mark.parametrize("kind", [kind for kind in AGGREGATORS if kind not in LEADING])
def test_what_leads_nowhere_is_refused_in_words(kind: str) -> None:
    reason = AGGREGATORS.get(kind).why_no_target()
    with pytest.raises(InputError) as raised:
        create_attack(f"pgd-{named(kind)}", eps=EPS, target=TARGET)
    assert str(raised.value).startswith(f"{kind} leads to no target: {reason}; expected one of total, single")


def test_the_refusal_names_all_that_lead() -> None:
    with pytest.raises(InputError) as raised:
        create_attack("pgd-dgba", eps=EPS, target=TARGET)
    listed = str(raised.value).partition("expected one of ")[2].replace(":<task>", "").split(", ")
    assert sorted(listed) == sorted(LEADING)


@pytest.mark.parametrize("name", ["apgd-total+segpgd", "apgd-total+cospgd"])
def test_criteria_of_what_is_still_right_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="weights pixels by what is still right, which leads to no target"):
        create_attack(name, eps=EPS, target=TARGET)


@pytest.mark.parametrize("kind", list(ATTACKS))
def test_attacks_with_a_loop_of_their_own_take_none(kind: str) -> None:
    name = f"{kind}-total" if follows_aggregator(kind) else kind
    with pytest.raises(InputError, match="is no step rule with an aggregator: it takes no target"):
        create_attack(name, eps=EPS, target=TARGET)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({}, "target {}, expected a text by task"),
        ("depth:x2", "target 'depth:x2', expected a text by task"),
        ({"depth": 2}, "expected a text by task, as {'segmentation': '1->5', 'depth': 'x1.5'}"),
        ({"depht": "x2"}, "unknown task of the target 'depht'; did you mean 'depth'?"),
        ({"depth": "x0"}, "depth: the factor of the target 'x0' is 0"),
        ({"segmentation": "1->7"}, "segmentation: class 7 of the target '1->7', expected 0 to 3"),
        ({"depth": "x1"}, "depth: the target 'x1' is what the labels say already"),
        (
            {"depth": "keep", "normals": "keep"},
            "the target depth keep, normals keep leads nowhere: beside keep expected",
        ),
    ],
)
def test_bad_targets(target: Mapping[str, str], said: str) -> None:
    model, (images, targets) = ToyNet(), toy_batch(2)
    with pytest.raises(InputError) as raised:
        create_attack("pgd-total", eps=EPS, target=target)(model, images, targets)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("goals", "said"),
    [
        ({"normals": "y30"}, "single:depth leads nowhere: unknown task 'depth'; known: normals"),
        ({"normals": "y30", "depth": "keep"}, "single:depth leads nowhere: the target is to keep depth"),
    ],
)
def test_the_task_that_names_an_aggregator_needs_a_goal(goals: Mapping[str, str], said: str) -> None:
    with pytest.raises(TargetError, match=said):
        create_attack("pgd-single:depth", eps=EPS, target=goals)

"""The aggregator that goes by the skill that is left, against what its formula says and what it is for."""

import pytest
import torch
from attack_toys import ToyNet, losses_of, toy_batch

from mtlattack.attacks import create_aggregator, create_attack
from mtlattack.attacks.constants import FAR, lost_at
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.problem import Problem
from mtlattack.errors import InputError
from mtlattack.tasks import Depth, JointTask, MultiLabel, Scalar, Segmentation

MARGIN, LEAK = 1.5, 0.1


def test_a_task_counts_until_it_is_so_much_worse_than_a_constant() -> None:
    skill = create_aggregator("skill")
    losses = torch.tensor([[0.5, 1.5, 3.0, 1e6], [0.0, 1.4, 1.6, 1e-12]])
    expected = torch.tensor([[1.0, LEAK, LEAK, LEAK], [1.0, 1.0, LEAK, 1.0]]) / losses.clamp_min(1e-14)
    assert torch.allclose(skill.weights(losses), expected)  # type: ignore[attr-defined]
    score = skill.score(torch.tensor([[MARGIN / torch.e, MARGIN], [MARGIN * torch.e, MARGIN]]))
    assert torch.allclose(score, torch.tensor([-1.0, LEAK]), atol=1e-6)


def test_its_direction_is_the_slope_of_its_score() -> None:
    """Finite differences, at points where some tasks count and some do not."""
    model, (images, targets) = ToyNet().double().eval(), toy_batch(4)
    targets = {name: value.double() if value.is_floating_point() else value for name, value in targets.items()}
    problem = Problem(model, model, model.tasks, targets, images.double())
    objective = Objective(problem, create_aggregator("skill", margin=1.1))
    units = lost_at(model.tasks, targets)
    past = torch.stack(losses_of(model, images.double(), targets), 1) > 1.1 * units
    assert past.any() and not past.all()

    def score(points: torch.Tensor) -> torch.Tensor:
        ratios = torch.stack(losses_of(model, points, targets), 1) / units / 1.1
        return torch.where(ratios < 1, ratios.log(), LEAK * ratios.log()).sum(1)

    _, direction = objective.gradient(images.double())
    assert torch.allclose(objective.score(images.double()).double(), score(images.double()), rtol=1e-4)
    h = 1e-6
    for c, row, column in [(0, 3, 3), (1, 2, 4), (2, 5, 5)]:
        step = torch.zeros_like(images.double())
        step[:, c, row, column] = h
        slope = (score(images.double() + step) - score(images.double() - step)) / (2 * h)
        assert torch.allclose(direction[:, c, row, column], slope, rtol=1e-4, atol=1e-6)


def test_where_tasks_have_no_skill_left() -> None:
    """At a constant's loss where the metric is an error; nowhere near where it counts hits, or there is one label."""
    _, targets = toy_batch(3)
    targets |= {"multi": torch.ones(3, 2), "size": torch.tensor([1.0, 5.0, 9.0])}
    tasks = {"segmentation": Segmentation(4), "depth": Depth(), "multi": MultiLabel(2), "size": Scalar()}
    found = lost_at(tasks, targets)
    assert found.shape == (3, 4) and (found[:, [0, 2, 3]] == FAR).all()
    for image, depth in enumerate(targets["depth"]):
        known = depth[depth > 0]
        errors = [float((known - value).abs().mean()) for value in known]
        assert float(found[image, 1]) == pytest.approx(min(errors), rel=1e-5)
    joint = lost_at({"depth": JointTask(Depth(), 3)}, targets)  # type: ignore[dict-item]
    assert torch.equal(joint[:, 0], found[:, 1])


def test_images_without_labels_of_a_task_are_attacked_by_the_others() -> None:
    images, targets = toy_batch(3)
    targets["depth"][1] = 0
    found = create_attack("apgd-skill", eps=0.1, steps=4)(ToyNet(), images, targets)
    assert found.isfinite().all() and (found != images).flatten(1).any(1).all()


def test_it_spends_nothing_on_a_task_that_is_lost() -> None:
    """Depth is far off on the clean images, normals are nearly right: they lose more, and it less, than to dgba."""
    model, (images, targets) = ToyNet().eval(), toy_batch()
    with torch.no_grad():
        right = model(images)
    noise = 0.1 * torch.randn(right["normals"].shape, generator=torch.Generator().manual_seed(0))
    targets |= {"segmentation": right["segmentation"].argmax(1), "normals": right["normals"] + noise}

    def ratios(points: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return torch.stack(losses_of(model, points, targets), 1) / lost_at(model.tasks, targets)

    _, depth, normals = ratios(images).mean(0)
    assert depth > MARGIN and normals < 0.01
    skill, dgba = (
        ratios(create_attack(name, eps=0.2, steps=20)(model, images, targets)) for name in ("apgd-skill", "apgd-dgba")
    )
    assert skill[:, 1].mean() < dgba[:, 1].mean() and skill[:, 2].mean() > dgba[:, 2].mean()


@pytest.mark.parametrize(
    ("option", "value"), [("margin", 0), ("margin", "1"), ("leak", 1), ("leak", -0.1), ("leak", True)]
)
def test_options_out_of_range(option: str, value: object) -> None:
    with pytest.raises(InputError, match=f"{option} {value!r}"):
        create_aggregator("skill", **{option: value})


def test_it_leads_to_no_target() -> None:
    with pytest.raises(InputError, match="skill leads to no target: it lets go"):
        create_attack("pgd-skill", eps=0.1, target={"depth": "x1.5"})

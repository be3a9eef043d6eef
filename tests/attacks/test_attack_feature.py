"""The shared-feature attack: what it climbs, what it does not run, what it says it costs."""

from collections.abc import Mapping

import pytest
import torch
from attack_toys import Counted, LinearNet, ToyNet, toy_batch
from torch import Tensor, nn

from mtlattack.attacks import Attack, Cost, create_aggregator, create_attack
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.problem import Problem
from mtlattack.errors import InputError
from mtlattack.models import lower_precision, prepare_for_attack, wrap
from mtlattack.tasks import Depth

STEPS = ["pgd", "apgd", "fgsm", "mim", "bim"]


def feature_attack(step: str, norm: str = "linf", **options: int) -> Attack:
    return create_attack(f"{step}-feature", norm=norm, eps={"linf": 8 / 255, "l2": 0.3}[norm], **options)


def distance(model: ToyNet, images: Tensor, clean: Tensor) -> Tensor:
    """Mean squared change of the features of each image, in float64."""
    model = model.eval()
    change = model.shared_features(images).double() - model.shared_features(clean).double()
    return change.square().flatten(1).mean(1).detach()


class Headless(ToyNet):
    """A network whose heads must not be asked."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        raise AssertionError("the whole network ran")


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("step", STEPS)
def test_features_move_inside_the_ball_and_no_head_runs(step: str, norm: str) -> None:
    images, targets = toy_batch(4)
    attack = feature_attack(step, norm)
    result = attack(Headless(), images, targets)
    delta = (result.double() - images.double()).flatten(1)
    assert (delta.norm(float("inf") if norm == "linf" else 2, dim=1) <= attack.threat.eps).all()
    assert result.min() >= 0 and result.max() <= 1
    noise = images + attack.threat.eps * torch.where(torch.rand_like(images) < 0.5, -1.0, 1.0)
    if norm == "linf":
        assert (distance(ToyNet(), result, images) > distance(ToyNet(), noise.clamp(0, 1), images)).all()
    alone = [attack(Headless(), images[[i]], {k: v[[i]] for k, v in targets.items()}, [i]) for i in range(4)]
    assert torch.equal(torch.cat(alone), result)


@pytest.mark.parametrize(("step", "cost"), [("pgd", Cost(4, 3)), ("apgd", Cost(5, 3)), ("bim", Cost(4, 3))])
def test_the_pass_for_the_clean_features_is_counted(step: str, cost: Cost) -> None:
    model, attack = Counted(ToyNet()), feature_attack(step, steps=3)
    attack(model, *toy_batch(2))
    assert Cost(model.forwards, model.backwards["images"]) == attack.cost(3) == cost
    images, targets = toy_batch(2)
    toy = ToyNet().eval()
    objective = Objective(Problem(toy, toy, toy.tasks, targets, images), create_aggregator("feature"))
    objective.gradient(images)
    assert objective.spent == Cost(2, 1)


def test_a_search_model_is_led_away_from_the_judges_features() -> None:
    judge, search, (images, targets) = Counted(ToyNet()), Counted(ToyNet()), toy_batch(2)
    attack = feature_attack("apgd", steps=3)
    attack(judge, images, targets, search=search)
    assert Cost(judge.forwards + search.forwards, search.backwards["images"]) == attack.cost_with_search(3)
    assert judge.backwards["images"] == 0 and (judge.forwards, search.forwards) == (3, 3)
    assert torch.equal(
        attack(ToyNet(), images, targets, search=ToyNet()), attack(ToyNet(), images, targets)
    )  # Two models that are alike.


def test_gradient_is_that_of_finite_differences() -> None:
    """Of the distance summed over the entries and divided by their number, along random directions, in float64."""
    model, (images, targets) = ToyNet().eval().double(), toy_batch(3)
    generator = torch.Generator().manual_seed(1)
    clean, direction = images.double(), torch.randn(images.shape, generator=generator).double()
    points = (clean + 0.05 * torch.rand(images.shape, generator=generator)).requires_grad_()
    objective = Objective(Problem(model, model, model.tasks, targets, clean), create_aggregator("feature"))
    score, gradient = objective.gradient(points)
    h = 1e-5
    ahead, behind = (distance(model, points.detach() + sign * h * direction, clean) for sign in (1, -1))
    torch.testing.assert_close(score.double(), distance(model, points.detach(), clean), rtol=1e-6, atol=0)
    torch.testing.assert_close((gradient * direction).flatten(1).sum(1), (ahead - behind) / (2 * h), rtol=1e-5, atol=0)


def test_the_clean_image_is_flat() -> None:
    model, (images, targets) = ToyNet().eval(), toy_batch(2)
    score, gradient = Objective(
        Problem(model, model, model.tasks, targets, images), create_aggregator("feature")
    ).gradient(images)
    assert not score.any() and not gradient.any()
    assert not feature_attack("fgsm").run(model, images, targets).diagnostics["vanished"].any()


class Foreign(nn.Module):
    """Encoder with a batch norm, and a head."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        self.conv, self.norm, self.head = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Conv2d(6, 1, 1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        self.norm.running_var.fill_(3)  # type: ignore[union-attr]

    def forward(self, images: Tensor) -> Mapping[str, Tensor]:
        return {"depth": self.head(torch.tanh(self.norm(self.conv(images))))}


@pytest.mark.parametrize("name", ["pgd-feature", "apgd-feature"])
def test_a_prepared_copy_of_a_wrapped_model_is_attacked_alike(name: str) -> None:
    images, targets = toy_batch(2)
    model, attack = wrap(Foreign(), {"depth": Depth()}, features="norm"), create_attack(name, eps=0.1, steps=4)
    prepared = prepare_for_attack(model, images)
    assert prepared.folded == 1
    plain, folded = (attack(each, images, {"depth": targets["depth"]}) for each in (model, prepared))
    assert (plain == folded).double().mean() > 0.95
    search = lower_precision(prepared)
    low = attack(prepared, images, {"depth": targets["depth"]}, search=search)
    with torch.no_grad():
        clean, *others = (prepared.shared_features(x) for x in (images, folded, low))
        moved = [(features - clean).square().mean() for features in others]
    assert moved[1] > 0.9 * moved[0]


def test_models_without_shared_features() -> None:
    images, targets = toy_batch(2)
    attack = feature_attack("pgd")
    weights = torch.ones(3, 6, 6)
    with pytest.raises(InputError, match=r"model LinearNet has no `shared_features\(images\).*wrap\(…, features=…\)"):
        attack(LinearNet({"depth": weights}), images, {"depth": torch.ones(2)})
    depth = {"depth": targets["depth"]}
    with pytest.raises(InputError, match=r"nobody said where Foreign keeps the features"):
        attack(wrap(Foreign(), {"depth": Depth()}), images, depth)
    with pytest.raises(InputError, match=r"nobody said where Foreign keeps the features"):
        attack(prepare_for_attack(wrap(Foreign(), {"depth": Depth()}), images), images, depth)

    class Scalar(ToyNet):
        def shared_features(self, images: Tensor) -> Tensor:
            return super().shared_features(images).mean()

    with pytest.raises(InputError, match=r"shared_features gives \(\), expected a tensor \[2, …\]"):
        attack(Scalar(), images, targets)

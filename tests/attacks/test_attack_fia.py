"""The attack on the features that the tasks rely on: what it holds important, what it climbs, what it costs."""

from collections.abc import Mapping

import pytest
import torch
from attack_toys import Counted, LinearNet, ToyNet, losses_of, toy_batch
from torch import Tensor, nn

from mtlattack.attacks import Cost, create_aggregator, create_attack
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.problem import Problem
from mtlattack.errors import InputError
from mtlattack.models import prepare_for_attack, wrap
from mtlattack.tasks import Depth

MASKS, DROP = 3, 0.4
IDS = ["a", "b", "c"]


def problem_of(model: nn.Module, search: nn.Module | None = None) -> Problem:
    images, targets = toy_batch(3)
    return Problem(model, search or model, model.tasks, targets, images)


def objective_of(problem: Problem, drop: float = DROP) -> Objective:
    return Objective(problem, create_aggregator("fia", masks=MASKS, drop=drop), noise=Noise(5, IDS))


def importance(model: ToyNet, drop: float = DROP) -> Tensor:
    """w by hand, in float64."""
    model, (images, targets) = model.eval().double(), toy_batch(3)
    total = torch.zeros(())
    for n in range(MASKS):
        mask = Noise(5, IDS, f"fia {n}").uniform(images.shape[1:], 0) >= 2 * drop - 1
        features = model.shared_features((images * mask).double()).detach().requires_grad_()
        predictions = {name: (head @ features.flatten(2)).view(3, -1, 6, 6) for name, head in model.heads.items()}
        losses = [task.loss(predictions[name], targets[name]) for name, task in model.tasks.items()]
        total = total + torch.autograd.grad(sum(loss.log() for loss in losses).sum(), features)[0]
    return total / total.flatten(1).norm(dim=1)[:, None, None, None]


@pytest.mark.parametrize("drop", [0.0, DROP])
def test_it_climbs_the_features_weighted_by_their_importance(drop: float) -> None:
    weight, model, points = importance(ToyNet(), drop), ToyNet().eval(), toy_batch(3)[0].roll(1, 2)
    point = points.clone().requires_grad_()
    expected = (weight * model.shared_features(point)).flatten(1).sum(1)
    (direction,) = torch.autograd.grad(expected.sum(), point)
    score, gradient = objective_of(problem_of(model), drop).gradient(points)
    torch.testing.assert_close(score.double(), expected.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient, direction, rtol=1e-3, atol=1e-5)


def test_losses_rise_along_it_and_no_head_runs_once_it_is_known() -> None:
    class Headless(ToyNet):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            raise AssertionError("the whole network ran")

    images, targets = toy_batch(16)
    attack = create_attack("pgd-fia", eps=8 / 255, masks=4)
    result = attack(Headless(), images, targets)
    clean, hurt = (torch.stack(losses_of(ToyNet(), x, targets), 1).log().sum(1) for x in (images, result))
    assert (hurt > clean).float().mean() > 0.8
    noise = images + 8 / 255 * torch.where(torch.rand_like(images) < 0.5, -1.0, 1.0)
    assert hurt.mean() > torch.stack(losses_of(ToyNet(), noise, targets), 1).log().sum(1).mean()


def test_masks_belong_to_the_image() -> None:
    images, targets = toy_batch(3)
    attack = create_attack("bim-fia", eps=0.05, steps=3, masks=2, seed=4)
    result = attack(ToyNet(), images, targets, IDS)
    alone = [attack(ToyNet(), images[[i]], {k: v[[i]] for k, v in targets.items()}, [IDS[i]]) for i in (2, 1, 0)]
    assert torch.equal(torch.cat(alone[::-1]), result)
    for other in (create_attack("bim-fia", eps=0.05, steps=3, masks=2, seed=5), attack):
        assert not torch.equal(other(ToyNet(), images, targets, IDS if other is not attack else list("xyz")), result)


@pytest.mark.parametrize(("step", "cost"), [("bim", Cost(5, 5)), ("apgd", Cost(6, 5))])
def test_the_passes_that_it_opens_with_are_counted(step: str, cost: Cost) -> None:
    model, attack = Counted(ToyNet()), create_attack(f"{step}-fia", eps=0.05, steps=3, masks=2)
    attack(model, *toy_batch(2))
    assert Cost(model.forwards, model.backwards["images"]) == attack.cost(3) == cost
    assert objective_of(problem_of(ToyNet().eval())).spent == Cost(MASKS, MASKS)
    universal = create_attack("universal-fia", eps=0.05, epochs=2, masks=2)
    assert universal.fitting_cost(3) == Cost(6, 6)


def test_the_searching_model_says_what_is_important() -> None:
    judge, search = Counted(ToyNet()), Counted(ToyNet())
    objective_of(problem_of(judge, search))
    assert (judge.forwards, search.forwards) == (0, MASKS)


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 4), (3, 5, 2, 2)])
def test_features_of_any_shape(shape: tuple[int, ...]) -> None:
    class Shaped(nn.Module):
        tasks = {"depth": Depth()}

        def shared_features(self, images: Tensor) -> Tensor:
            return images.flatten(1)[:, : torch.Size(shape[1:]).numel()].reshape(shape).sin()

        def with_shared_features(self, images: Tensor) -> tuple[Mapping[str, Tensor], Tensor]:
            features = self.shared_features(images)
            return {"depth": images[:, :1] + features.flatten(1).mean(1)[:, None, None, None]}, features

    problem, model = problem_of(ToyNet()), Shaped()
    objective = objective_of(Problem(model, model, model.tasks, problem.targets, problem.images))
    score, gradient = objective.gradient(problem.images)
    assert score.shape == (3,) and gradient.flatten(1).any(1).all()


def test_a_wrapped_model_is_attacked_where_it_says_that_its_features_are() -> None:
    class Foreign(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            generator = torch.Generator().manual_seed(2)
            self.conv, self.head = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 1, 1)
            with torch.no_grad():
                for parameter in self.parameters():
                    parameter.copy_(torch.randn(parameter.shape, generator=generator))

        def forward(self, images: Tensor) -> dict[str, Tensor]:
            return {"depth": self.head(torch.tanh(self.conv(images)))}

    images, targets = toy_batch(3)
    model, attack = wrap(Foreign(), {"depth": Depth()}, features="conv"), create_attack("pgd-fia", eps=0.1, masks=2)
    depth = {"depth": targets["depth"]}
    plain, prepared = (attack(each, images, depth) for each in (model, prepare_for_attack(model, images)))
    assert (plain == prepared).double().mean() > 0.95
    assert (losses_of(model, plain, depth)[0] > losses_of(model, images, depth)[0]).all()


def test_an_image_without_labels_has_no_importance() -> None:
    model, (images, targets) = ToyNet().eval(), toy_batch(2)
    nothing = {"segmentation": torch.full_like(targets["segmentation"], 255)}
    nothing |= {name: torch.zeros_like(targets[name]) for name in ("depth", "normals")}
    result = create_attack("bim-fia", eps=0.1, steps=2, masks=2).run(model, images, nothing)
    assert torch.equal(result.images, images) and result.diagnostics["vanished"].all()


def test_models_that_cannot_say_where_their_predictions_come_from() -> None:
    images, targets = toy_batch(2)
    attack = create_attack("pgd-fia", eps=0.1, masks=2)
    with pytest.raises(InputError, match=r"model LinearNet has no `with_shared_features\(images\)"):
        attack(LinearNet({"depth": torch.ones(3, 6, 6)}), images, {"depth": torch.ones(2)})

    class Silent(ToyNet):
        def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
            predictions, features = super().with_shared_features(images)
            return {"depth": predictions["depth"]}, features

    class Scalar(ToyNet):
        def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
            predictions, features = super().with_shared_features(images)
            return predictions, features.mean()

    class Cut(ToyNet):
        def shared_features(self, images: Tensor) -> Tensor:
            return super().shared_features(images).detach()

    for model, message in (
        (Silent(), "the model predicts depth, not its task 'segmentation'"),
        (Scalar(), r"shared_features gives \(\), expected a tensor \[2, …\]"),
        (Cut(), "the shared features have no gradient in the image"),
    ):
        with pytest.raises(InputError, match=message):
            attack(model, images, targets)


@pytest.mark.parametrize(
    ("options", "message"), [({"masks": 0}, "masks 0 is not a whole"), ({"drop": 1.5}, "drop 1.5 is")]
)
def test_wrong_options(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_aggregator("fia", **options)


def test_it_takes_no_criterion_and_no_threshold() -> None:
    with pytest.raises(InputError, match="fia looks at no task"):
        create_attack("pgd-fia+segpgd", eps=0.1)
    with pytest.raises(InputError):
        create_attack("minimal-fia", eps=0.1)

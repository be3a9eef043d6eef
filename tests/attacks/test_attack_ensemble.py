"""An ensemble's loss is the mean of its sources' losses, and so is its gradient."""

import warnings

import pytest
import torch
from attack_toys import ToyNet, mix, toy_batch
from torch import Tensor, nn

from mtlattack.attacks import create_attack
from mtlattack.attacks.aggregators import create_aggregator
from mtlattack.attacks.criteria import create_criterion
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.posing import posed
from mtlattack.errors import InputError
from mtlattack.models import EnsembleSource, networks_in, prepare_for_attack
from mtlattack.tasks import JointTask, Segmentation


def net(seed: int) -> ToyNet:
    model = ToyNet().eval()
    with torch.no_grad():
        for name in model.heads:
            model.heads[name] *= 1 + 0.3 * seed
        model.stem += 0.2 * seed
    return model


def direction(model: nn.Module, aggregator: str, criterion: str | None = None) -> tuple[Tensor, Tensor]:
    images, targets = toy_batch(4)
    with posed(model, images, targets) as problem:
        changed = None if criterion is None else create_criterion(criterion)
        return Objective(problem, create_aggregator(aggregator), changed).gradient(images)


@pytest.mark.parametrize("criterion", [None, "segpgd", "cospgd", "dlr"])
@pytest.mark.parametrize("aggregator", ["total", "single:segmentation"])
def test_score_and_gradient_are_the_means(aggregator: str, criterion: str | None) -> None:
    nets = {str(seed): net(seed) for seed in range(3)}
    found = direction(EnsembleSource(nets), aggregator, criterion)
    alone = [direction(each, aggregator, criterion) for each in nets.values()]
    for values, of_each in zip(found, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(values, torch.stack(of_each).mean(0))


def test_an_image_does_not_feel_its_batch() -> None:
    source, (images, targets) = EnsembleSource({"a": net(0), "b": net(1)}), toy_batch(5)
    attack = create_attack("pgd-dgba", eps=8 / 255, steps=3)
    together = attack(source, images, targets, range(5))
    back = attack(source, images.flip(0), {n: t.flip(0) for n, t in targets.items()}, range(4, -1, -1)).flip(0)
    apart = [attack(source, images[i : i + 1], {n: t[i : i + 1] for n, t in targets.items()}, [i]) for i in range(5)]
    assert torch.equal(together, back) and torch.equal(together, torch.cat(apart))


def test_only_what_all_have_alike_counts_and_the_rest_is_said() -> None:
    one, other = net(0), net(1)
    other.tasks = {name: task for name, task in other.tasks.items() if name != "normals"}
    with pytest.warns(UserWarning, match="not all sources have them alike: one: normals"):
        source = EnsembleSource({"one": one, "other": other})
    assert list(source.tasks) == ["segmentation", "depth"] and networks_in(source) == 2
    other.tasks = {"segmentation": Segmentation(3)}
    with pytest.raises(InputError, match=r"no task in common.*one: segmentation, depth, normals; other: segmentation"):
        EnsembleSource({"one": one, "other": other})
    with pytest.raises(InputError, match="an ensemble of one, expected two"):
        EnsembleSource({"one": one})


def test_it_counts_as_the_task_whose_labels_it_takes_and_cannot_be_judged() -> None:
    task = Segmentation(4)
    joint = JointTask(task, 2)
    assert joint == task and task == joint and joint != Segmentation(5) and joint != JointTask(task, 3)
    assert {"segmentation": task} == {"segmentation": joint} and joint.channels == 8
    images, targets = toy_batch(2)
    with pytest.raises(InputError, match="segmentation: 2 models predict it at once.*expected one model to be judged"):
        joint.statistics(images, targets["segmentation"])
    with pytest.raises(InputError, match=r"expected 2·4 channels"):
        joint.loss(torch.zeros(2, 4, 6, 6), targets["segmentation"])


def test_the_sources_are_copies() -> None:
    one = net(0).train()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = EnsembleSource({"one": one, "other": net(1)})
    assert one.training and not source.training
    assert not {id(p) for p in one.parameters()} & {id(p) for p in source.parameters()}


# --- attacks on what the tasks share


class Deep(ToyNet):
    """A feature of other channels and places than `ToyNet`'s."""

    def __init__(self) -> None:
        super().__init__(width=6)
        self.eval()

    def shared_features(self, images: Tensor) -> Tensor:
        return super().shared_features(images)[..., 1:, :]

    def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        features = self.shared_features(images)
        padded = nn.functional.pad(features, (0, 0, 1, 0))
        return {name: mix(head, padded) for name, head in self.heads.items()}, features


def test_fia_climbs_the_features_of_all_sources_by_their_importance() -> None:
    nets, (images, targets) = {"a": net(0), "b": Deep()}, toy_batch(3)
    found = [each.with_shared_features(images) for each in nets.values()]
    losses = [
        sum(task.loss(predictions[name], targets[name]) for predictions, _ in found) / 2
        for name, task in nets["a"].tasks.items()
    ]
    weights = torch.autograd.grad(sum(loss.log() for loss in losses).sum(), [features for _, features in found])
    length = sum(weight.square().flatten(1).sum(1) for weight in weights).sqrt()
    points = images.flip(0).clone().requires_grad_()
    products = [
        (weight * each.shared_features(points)).flatten(1).sum(1)
        for weight, each in zip(weights, nets.values(), strict=True)
    ]
    expected = sum(products) / length
    (direction,) = torch.autograd.grad(expected.sum(), points)
    with posed(EnsembleSource(nets), images, targets) as problem:
        objective = Objective(problem, create_aggregator("fia", masks=2, drop=0.0), noise=Noise(0, ["x", "y", "z"]))
        score, gradient = objective.gradient(images.flip(0))
    torch.testing.assert_close(score, expected.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient, direction, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["pgd-fia", "pgd-feature"])
def test_features_of_an_ensemble_belong_to_the_image(name: str) -> None:
    source, (images, targets) = EnsembleSource({"a": net(0), "b": Deep()}), toy_batch(3)
    attack = create_attack(name, eps=8 / 255, steps=2, **({"masks": 2} if name == "pgd-fia" else {}))
    together = attack(source, images, targets, range(3))
    prepared = prepare_for_attack(source, images)
    apart = [attack(source, images[i : i + 1], {n: t[i : i + 1] for n, t in targets.items()}, [i]) for i in range(3)]
    assert torch.equal(together, torch.cat(apart)) and not torch.equal(together, images)
    assert (attack(prepared, images, targets, range(3)) == together).double().mean() > 0.95


@pytest.mark.parametrize("name", ["pgd-fia", "pgd-feature", "universal-fia"])
def test_a_source_without_features_is_named_before_anything_is_done(name: str) -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tasks = ToyNet().tasks

        def forward(self, images: Tensor) -> dict[str, Tensor]:
            raise AssertionError("it ran")

    method = "shared_features" if name == "pgd-feature" else "with_shared_features"
    with pytest.raises(InputError, match=f"b, of the ensemble: Plain has no `{method}"):
        create_attack(name, eps=8 / 255).check_model(EnsembleSource({"a": net(0), "b": Plain()}), toy_batch(1)[0])
    create_attack("pgd-total", eps=8 / 255).check_model(Plain(), toy_batch(1)[0])

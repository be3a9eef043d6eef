"""What a training step minimises."""

import pytest
import torch
from torch.distributions import Categorical, kl_divergence
from training_toys import toy_batch, toy_network

from mtlattack.attacks import create_attack
from mtlattack.tasks import create_task
from mtlattack.training.divergence import divergence
from mtlattack.training.objectives import adversarial_only, clean, clean_and_adversarial, create_objective, trades
from mtlattack.training.precision import mixed_precision
from mtlattack.training.recipes import Adversarial

ATTACK = create_attack("pgd-dgba", eps=8 / 255, steps=2, seed=3)


@pytest.fixture
def model():
    return mixed_precision(toy_network(), "float32", torch.device("cpu")).train()


def test_clean_is_the_mean_loss_of_each_task(model):
    batch = toy_batch()
    (term,) = clean(model, batch)
    predictions = model(batch.images)  # In train mode a second pass gives the same predictions.
    assert (term.name, term.factor) == ("", 1.0) and list(term.losses) == list(model.tasks)
    for name, task in model.tasks.items():
        assert torch.allclose(term.losses[name], task.loss(predictions[name], batch.targets[name]).mean())


def test_adversarial_losses_are_those_of_the_attacked_images(model):
    batch = toy_batch()
    images = ATTACK(model, batch.images, batch.targets, batch.ids)
    assert (images - batch.images).abs().max() > 7 / 255
    (term,) = adversarial_only(model, batch, ATTACK)
    predictions = model(images)
    for name, task in model.tasks.items():
        assert torch.allclose(term.losses[name], task.loss(predictions[name], batch.targets[name]).mean())
    assert model.training and all(module.training for module in model.modules())


def test_clean_and_adversarial_are_weighed_equally(model):
    batch = toy_batch()
    plain, attacked = clean_and_adversarial(model, batch, ATTACK)
    assert (plain.name, attacked.name) == ("", "adversarial") and plain.factor == attacked.factor == 0.5
    # The attack ascends at fixed batch statistics; the toy's own losses rise under it as well.
    assert sum(attacked.losses.values()) > sum(plain.losses.values())


def test_every_parameter_gets_a_gradient_from_every_objective(model):
    for objective in (clean, *(_objective(method) for method in ("adversarial", "clean+adversarial", "trades"))):
        model.zero_grad(set_to_none=True)
        terms = objective(model, toy_batch())
        sum(term.factor * sum(term.losses.values()) for term in terms).backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def _objective(method: str):
    return create_objective(Adversarial(method=method, steps=1), seed=0)


def test_the_seed_of_the_objective_draws_the_random_start(model):
    model.eval()
    losses = [
        create_objective(Adversarial(method="adversarial", steps=1), seed)(model, toy_batch())[0].losses["depth"].item()
        for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("method", ["adversarial", "trades"])
def test_shared_features_can_be_climbed(model, method):
    batch = toy_batch()
    adversarial = Adversarial(method=method, attack="pgd-feature", steps=1)
    term = create_objective(adversarial, seed=0)(model, batch)[-1]
    assert all(loss.isfinite() for loss in term.losses.values()) and model.training


def test_trades_is_the_clean_loss_and_beta_times_the_divergence(model):
    model.eval()  # So that batch statistics stay out of the comparison.
    batch = toy_batch()
    plain, apart = trades(model, batch, ATTACK, beta=3.0)
    assert plain.factor == 1.0 and (apart.name, apart.factor) == ("divergence", 3.0)
    assert torch.allclose(plain.losses["depth"], clean(model, batch)[0].losses["depth"])
    assert all(value > 0 for value in apart.losses.values())
    for name in model.tasks:  # An attack that may not move anything finds no divergence.
        still = trades(model, batch, create_attack("pgd-dgba", eps=1e-9, steps=1), beta=3.0)[1].losses[name]
        assert 0 <= still < 1e-3 * apart.losses[name]


def test_the_attack_of_trades_climbs_the_divergence(model):
    model.eval()
    batch = toy_batch()

    def total(steps: int, size: float) -> float:
        attack = create_attack("pgd-total", eps=8 / 255, steps=steps, step_size=size)
        return sum(loss.item() for loss in trades(model, batch, attack, beta=1.0)[1].losses.values())

    noise = total(1, 1e-9)
    assert total(5, 4 / 255) > 1.5 * noise > 0


def test_divergence_of_classes_is_kl_of_the_softmax():
    task = create_task("segmentation", classes=4)
    prediction, reference = torch.randn(2, 2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    expected = kl_divergence(
        Categorical(logits=reference.permute(0, 2, 3, 1)), Categorical(logits=prediction.permute(0, 2, 3, 1))
    )
    assert torch.allclose(divergence(task, prediction, reference), expected.mean((1, 2)), atol=1e-6)


@pytest.mark.parametrize("kind", ["segmentation", "depth", "normals", "edge_texture"])
def test_divergence_is_zero_only_between_equals(kind):
    task = create_task(kind, classes=4) if kind == "segmentation" else create_task(kind)
    one, other = torch.randn(2, 3, task.channels, 4, 6, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(divergence(task, one, one), torch.zeros(3), atol=1e-6)
    assert (divergence(task, one, other) > 0.01).all()
    if kind == "normals":  # A direction has no length.
        assert torch.allclose(divergence(task, 5 * one, other), divergence(task, one, other), atol=1e-5)

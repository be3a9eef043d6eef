"""Training that leaves the finite numbers stops, says where, and leaves a state that it goes on from."""

from dataclasses import replace

import pytest
import torch
from torch.amp.grad_scaler import GradScaler
from training_toys import toy_network, write_data, write_recipe

from mtlattack.errors import InputError
from mtlattack.training import load_recipe, train, trainer
from mtlattack.training.finite import DivergedError, not_finite_loss, not_finite_weights
from mtlattack.training.objectives import Term
from mtlattack.training.optimization import create_optimizer
from mtlattack.training.state import TrainingState


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "toy.h5", 4)


def steep(term: Term) -> Term:
    """The same losses; the gradient of depth's is not finite: that of a root at 0."""
    loss = term.losses["depth"]
    return replace(term, losses=term.losses | {"depth": loss + (loss - loss.detach()).abs().sqrt()})


def test_a_gradient_that_is_not_finite_is_named_and_training_resumes(tmp_path, data, monkeypatch):
    recipe = load_recipe(write_recipe(tmp_path, data, "epochs = 2\nbatch_size = 2\naverage = 0.5"))
    whole = train(recipe, tmp_path / "whole.pt", workers=0, report=lambda text: None)
    seen = []

    def create(adversarial, seed):
        plain = create_objective(adversarial, seed)

        def objective(model, batch):
            seen.append(batch.ids)
            return plain(model, batch) if len(seen) < 4 else [steep(term) for term in plain(model, batch)]

        return objective

    create_objective = trainer.create_objective
    with monkeypatch.context() as patch, pytest.raises(DivergedError) as stopped:
        patch.setattr(trainer, "create_objective", create)
        train(recipe, tmp_path / "state.pt", workers=0, report=lambda text: None)
    assert str(stopped.value).startswith(
        "the gradient of the loss of depth is not finite in epoch 2, step 2 of 2; the state after epoch 1 is kept"
    )
    said = []
    resumed = train(recipe, tmp_path / "state.pt", workers=0, report=said.append)
    assert said[0] == "resuming toy after epoch 1"
    expected = whole.result.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in resumed.result.state_dict().items())


def test_losses_that_are_not_finite_are_named():
    fine, wrong = torch.tensor(1.0), torch.tensor(float("nan"))
    terms = [Term("", 1.0, {"depth": fine, "normals": wrong}), Term("adversarial", 1.0, {"depth": wrong + 1})]
    assert not_finite_loss(terms) == "the loss of normals is nan, the adversarial loss of depth is nan"
    assert not_finite_loss([Term("", 1.0, {"depth": fine})]) == "the sum of all losses is not finite"


@pytest.fixture
def state():
    network = toy_network()
    return TrainingState(network, create_optimizer(network, 1e-3, 0.0), {})


def test_a_scaler_steps_over_what_its_scale_made_too_large_and_over_nothing_else(state):
    state.scaler = GradScaler("cpu", init_scale=4.0, enabled=True)
    before = {name: value.clone() for name, value in state.network.state_dict().items()}
    moved = []
    for _ in range(3):  # at scales of 4, 2 and 1
        state.scaler.scale(sum(parameter.sum() for parameter in state.network.parameters())).backward()
        next(state.network.parameters()).grad.fill_(float("inf"))
        moved.append(trainer._step(state))
    assert moved == [True, True, False] and state.scaler.get_scale() == 1
    assert all(torch.equal(value, before[name]) for name, value in state.network.state_dict().items())


def test_weights_that_are_not_finite_are_neither_saved_nor_gone_on_with(state, tmp_path):
    assert not_finite_weights(state.network) is None
    name, weight = next(iter(state.network.named_parameters()))
    weight.data.view(-1)[0] = float("nan")
    state.epoch = 1
    with pytest.raises(DivergedError, match=f"^{name} is not finite in epoch 1, after its last step; lower the"):
        trainer._check_weights(state)
    state.save(tmp_path / "state.pt")  # as was done before they were looked at
    with pytest.raises(InputError, match=f"{name} is not finite.*; start anew with --fresh"):
        state.load(tmp_path / "state.pt")

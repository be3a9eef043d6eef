"""The step sizes of published code."""

import pytest
import torch
from attack_toys import ToyNet, toy_batch

from mtlattack.attacks import create_attack
from mtlattack.errors import InputError


@pytest.mark.parametrize("name", ["bim-dgba", "apgd-dgba", "auto-saga"])
def test_dgbas_steps_are_a_share_of_epsilon(name: str) -> None:
    for steps in (None, 4):
        config = create_attack(name, eps=0.08, compat="dgba", steps=steps).config()
        assert config["step_size"] == pytest.approx(0.08 / (steps or 10)) and config["steps"] == (steps or 10)


def test_ours_is_the_default_and_an_option_wins() -> None:
    assert create_attack("apgd-dgba", eps=0.08).config()["step_size"] == pytest.approx(0.16)
    assert create_attack("apgd-dgba", eps=0.08, compat="dgba", step_size=0.02).config()["step_size"] == 0.02
    assert create_attack("apgd-dgba", eps=0.08, compat="dgba").config()["halve_steadily"] is False


def test_the_authors_iteration_by_hand() -> None:
    """x ← Π(x + ε/K · sign Σ ∇L_i/L_i), from the clean image."""
    model, (images, targets) = ToyNet().eval(), toy_batch(2)
    points = images
    for _ in range(3):
        x = points.clone().requires_grad_()
        predictions = model(x)
        losses = [task.loss(predictions[name], targets[name]) for name, task in model.tasks.items()]
        (gradient,) = torch.autograd.grad(sum((loss / loss.detach()).sum() for loss in losses), x)
        points = (points + 0.02 * gradient.sign()).clamp(images - 0.06, images + 0.06).clamp(0, 1)
    ours = create_attack("bim-dgba", eps=0.06, compat="dgba", steps=3)(model, images, targets)
    assert torch.allclose(ours, points, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "norm", "compat", "told"),
    [
        ("decay-dgba", "linf", "dgba", "compat 'dgba' has no decay, expected fgsm, bim, apgd, auto-saga"),
        ("bim-dgba", "l2", "dgba", "compat 'dgba' is for linf, not for l2"),
        ("bim-dgba", "linf", "dgb", "did you mean 'dgba'"),
    ],
)
def test_what_the_code_does_not_have(name: str, norm: str, compat: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        create_attack(name, eps=0.1, norm=norm, compat=compat)

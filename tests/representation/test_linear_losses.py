"""The worst loss in closed form is what brute force finds, and is attained; risks are what sampling says."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.representation import linear
from mtlattack.representation.linear import LinearLoss, Margin, MulticlassMargin, Norm, Squared
from mtlattack.representation.linear.losses import Phi

EPS = 0.3
CASES: dict[str, LinearLoss] = {
    "squared": Squared(),
    "logistic": Margin("logistic"),
    "hinge": Margin("hinge"),
    "exponential": Margin("exponential"),
    "multiclass-hinge": MulticlassMargin(4, "hinge"),
    "multiclass-logistic": MulticlassMargin(4, "logistic"),
}
every_case = pytest.mark.parametrize("name", CASES)
every_norm = pytest.mark.parametrize("norm", linear.NORMS)


def random_case(loss: LinearLoss, size: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Weights `[o, d]`, inputs `[n, d]` and labels `[n]`."""
    weights, inputs = torch.randn(loss.outputs, size).double(), torch.randn(20, size).double()
    if loss.outputs > 1:
        return weights, inputs, torch.randint(loss.outputs, (20,))
    labels = torch.randn(20).double()
    return weights, inputs, labels if isinstance(loss, Squared) else labels.sign()


def border(norm: Norm) -> Tensor:
    """Points `[P, 2]` of the unit ball among which a convex function is largest: corners, or a fine circle."""
    if norm == "linf":
        return torch.tensor(list(product([-1.0, 1.0], repeat=2)), dtype=torch.float64)
    angles = torch.linspace(0, 2 * np.pi, 721, dtype=torch.float64)
    return torch.stack([angles.cos(), angles.sin()], 1)


@every_norm
@every_case
def test_the_worst_loss_is_brute_forces(name: str, norm: Norm) -> None:
    loss = CASES[name]
    weights, inputs, labels = random_case(loss)
    tried = torch.stack([loss.worst(weights, inputs + EPS * step, labels, 0.0, norm) for step in border(norm)])
    torch.testing.assert_close(loss.worst(weights, inputs, labels, EPS, norm), tried.amax(0), rtol=1e-4, atol=1e-6)


@every_norm
@every_case
def test_the_worst_loss_is_attained_inside_the_ball(name: str, norm: Norm) -> None:
    loss = CASES[name]
    weights, inputs, labels = random_case(loss, size=7)
    points = loss.perturb(weights, inputs, labels, EPS, norm)
    assert linear.attack_norm(points - inputs, norm).max() <= EPS * (1 + 1e-12)
    torch.testing.assert_close(
        loss.worst(weights, points, labels, 0.0, norm), loss.worst(weights, inputs, labels, EPS, norm)
    )


@every_norm
@every_case
def test_smoothing_vanishes_and_has_derivatives(name: str, norm: Norm) -> None:
    loss = CASES[name]
    weights, inputs, labels = random_case(loss, size=5)
    exact = loss.worst(weights, inputs, labels, EPS, norm)
    torch.testing.assert_close(loss.worst(weights, inputs, labels, EPS, norm, 1e-6), exact, rtol=1e-4, atol=1e-4)
    point = torch.zeros_like(weights).requires_grad_()
    loss.worst(point, inputs, labels, EPS, norm, 0.1).sum().backward()
    assert point.grad is not None and bool(point.grad.isfinite().all())


@every_norm
@pytest.mark.parametrize("phi", ["logistic", "hinge", "exponential"])
def test_margin_risk_is_that_of_many_samples(phi: Phi, norm: Norm) -> None:
    weights, mean = torch.randn(1, 6).double() / 2, torch.randn(6).double()
    labels = torch.randint(2, (200_000,)) * 2.0 - 1
    inputs = torch.randn(200_000, 6).double() + labels[:, None] * mean
    sampled = Margin(phi).worst(weights, inputs, labels.double(), EPS, norm)
    risk = linear.margin_risk(weights[0], mean, EPS, norm, phi)
    assert abs(risk - sampled.mean()) < 4 * sampled.std() / 200_000**0.5
    wrong = (Margin("hinge").worst(weights, inputs, labels.double(), EPS, norm) > 1).double()
    error = linear.robust_error(weights[0], mean, EPS, norm)
    assert abs(error - wrong.mean()) < 4 * wrong.std() / 200_000**0.5


@every_norm
def test_squared_risk_is_that_of_many_samples(norm: Norm) -> None:
    weights, truth = torch.randn(1, 6).double(), torch.randn(6).double()
    inputs = torch.randn(200_000, 6).double()
    labels = inputs @ truth + 0.3 * torch.randn(200_000).double()
    sampled = Squared().worst(weights, inputs, labels, EPS, norm)
    risk = linear.squared_risk(weights[0], truth, 0.3, EPS, norm)
    assert abs(risk - sampled.mean()) < 4 * sampled.std() / 200_000**0.5


@every_norm
def test_multiclass_error_is_that_of_many_samples(norm: Norm) -> None:
    weights, means = torch.randn(4, 6).double(), 2 * torch.randn(4, 6).double()
    labels = torch.randint(4, (100_000,))
    inputs = torch.randn(100_000, 6).double() + means[labels]
    wrong = MulticlassMargin(4, "hinge").margins(weights, inputs, labels, EPS, norm).amin(-1) <= 0
    error = linear.multiclass_robust_error(weights, means, EPS, norm)
    assert abs(error - float(wrong.double().mean())) < 4 * 0.5 / 100_000**0.5


def test_two_classes_are_one_margin() -> None:
    mean, weights = torch.randn(1, 5).double(), torch.randn(1, 5).double()
    both = linear.multiclass_robust_error(torch.cat([weights, -weights]), torch.cat([mean, -mean]), EPS, "linf")
    assert both == pytest.approx(float(linear.robust_error(weights, mean, EPS, "linf")[0]), abs=1e-5)


@every_norm
def test_nothing_has_less_than_the_least_error(norm: Norm) -> None:
    mean = torch.randn(5).double() * 2
    least = linear.least_robust_error(mean, EPS, norm)
    assert (linear.robust_error(torch.randn(5000, 5).double() + mean, mean, EPS, norm) >= least - 1e-12).all()
    best = mean if norm == "l2" else mean.sign() * (mean.abs() - EPS).clamp_min(0)
    torch.testing.assert_close(linear.robust_error(best, mean, EPS, norm), least)


def test_what_no_closed_form_knows_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="norm 'l1'"):
        linear.check_threat("l1", 0.1)
    with pytest.raises(InputError, match="eps -1, expected"):
        linear.check_threat("l2", -1)
    with pytest.raises(InputError, match="eps inf, expected"):
        linear.check_threat("l2", float("inf"))
    with pytest.raises(UnknownNameError, match="margin loss 'logistik'; did you mean 'logistic'"):
        Margin("logistik").worst(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1), 0.0, "l2")  # type: ignore[arg-type]

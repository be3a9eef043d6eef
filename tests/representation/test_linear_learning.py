"""Both stages, against other solvers where the problem is convex, and in words where it has no answer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, rosen
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.representation import linear
from mtlattack.representation.linear import Examples, Margin, MulticlassMargin, Norm, Problem, Squared
from mtlattack.representation.linear.learning import empirical, orthonormal, truncate

SMALL = Problem(dimension=8, rank=2, sources=4)
MIXTURE = replace(SMALL, kind="mixture")
FINE = (1e-1, 1e-2, 1e-3, 1e-4)


def test_rows_are_minimised_apart() -> None:
    starts = torch.tensor([[-1.2, 1.0], [2.0, -1.0], [0.5, 0.5]]).double()

    def valley(points: Tensor) -> Tensor:
        return 100 * (points[:, 1] - points[:, 0] ** 2) ** 2 + (1 - points[:, 0]) ** 2

    found = linear.minimise(valley, starts)
    assert found.converged.all() and rosen(found.point.numpy().T).max() < 1e-9
    alone = linear.minimise(valley, starts[:1])
    torch.testing.assert_close(alone.point, found.point[:1], rtol=0, atol=1e-6)


def test_a_quadratic_ends_where_a_solve_does() -> None:
    root, shift = torch.randn(3, 12, 12).double(), torch.randn(3, 12).double()
    matrix = root @ root.mT + torch.eye(12)

    def bowl(points: Tensor) -> Tensor:
        return (points * (matrix @ points[..., None])[..., 0]).sum(1) / 2 - (points * shift).sum(1)

    found = linear.minimise(bowl, torch.zeros(3, 12).double(), tolerance=1e-14)
    torch.testing.assert_close(found.point, torch.linalg.solve(matrix, shift), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", linear.NORMS)
@pytest.mark.parametrize("kind", ["regression", "mixture"])
def test_stage_two_ends_where_a_search_without_derivatives_does(kind: str, norm: Norm) -> None:
    problem, eps = replace(SMALL, kind=kind), 0.1  # type: ignore[arg-type]
    tasks = linear.draw_tasks(problem, [3])
    target = linear.draw_target(tasks, 25)
    inputs, labels, basis = (part.numpy() for part in (target.inputs[0, 0], target.labels[0, 0], tasks.basis[0]))
    loss = Squared() if kind == "regression" else Margin("hinge")

    def worst(head: np.ndarray) -> float:
        scores, reach = inputs @ basis.T @ head, eps * np.linalg.norm(basis.T @ head, 2 if norm == "l2" else 1)
        if kind == "regression":
            return float(np.mean((np.abs(labels - scores) + reach) ** 2))
        return float(np.mean(np.maximum(0, 1 - labels * scores + reach)))

    found = minimize(worst, np.ones(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 2000})
    weights = linear.learn_head(loss, tasks.basis, target, eps, norm, smoothings=FINE)
    risk = float(empirical(loss, target, eps, norm)(weights, 0.0))
    assert abs(risk - found.fun) < 5e-4


def test_seeds_know_nothing_of_each_other() -> None:
    together, alone = (
        linear.learn_representation(Squared(), linear.draw_sources(linear.draw_tasks(SMALL, seeds), 30), 2, 0.1, "l2")
        for seeds in ([5, 6, 7], [6])
    )
    # A basis is known up to a rotation: the projection on it is not.
    projections = [found.basis.mT @ found.basis for found in (together, alone)]
    torch.testing.assert_close(projections[0][1], projections[1][0], rtol=0, atol=1e-4)


def test_smaller_draws_begin_larger_ones() -> None:
    few, many = linear.draw_tasks(SMALL, [1, 2]), linear.draw_tasks(replace(SMALL, sources=9), [2])
    assert torch.equal(few.source_heads[1], many.source_heads[0, :4])
    assert torch.equal(linear.draw_sources(few, 5).inputs[1], linear.draw_sources(many, 9).inputs[0, :4, :5])
    torch.testing.assert_close(linear.draw_target(few, 5).labels, linear.draw_target(few, 50).labels[..., :5])


@pytest.mark.parametrize("loss", [Margin("logistic"), Margin("exponential")])
def test_the_truth_is_the_best_representation_under_l2(loss: Margin) -> None:
    tasks = linear.draw_tasks(MIXTURE, [0, 1])
    everything = torch.eye(8).double().expand(2, 8, 8)
    here, there = (linear.least_risk(loss, tasks, basis, 0.2, "l2") for basis in (tasks.basis, everything))
    torch.testing.assert_close(here, there, rtol=1e-5, atol=1e-6)
    assert torch.equal(linear.best_representation(loss, tasks, 0.2, "l2").basis, tasks.basis)


def test_h_star_is_better_for_the_sources_under_linf() -> None:
    tasks = linear.draw_tasks(SMALL, [0, 1])
    risk = linear.population(Squared(), tasks, tasks.sources, 0.1, "linf")
    found = linear.best_representation(Squared(), tasks, 0.1, "linf")
    assert (risk(found.heads @ found.basis[:, None], 0.0).mean(1) < risk(tasks.sources[:, :, None], 0.0).mean(1)).all()


def test_more_data_brings_the_excess_to_zero() -> None:
    tasks = linear.draw_tasks(SMALL, range(4))
    least = linear.least_risk(Squared(), tasks, tasks.basis, 0.1, "l2")
    means = []
    for count in (20, 2000):
        basis = linear.learn_representation(Squared(), linear.draw_sources(tasks, count), 2, 0.1, "l2").basis
        weights = linear.learn_head(Squared(), basis, linear.draw_target(tasks, count), 0.1, "l2")
        excess = linear.target_risk(Squared(), tasks, weights, 0.1, "l2") - least
        assert (excess > -1e-6).all()
        means.append(float(excess.mean()))
    assert means[1] < 0.005 < means[0]


def test_several_classes_are_learned_through_both_stages() -> None:
    loss, labels = MulticlassMargin(3, "logistic"), torch.arange(60).expand(1, 2, 60) % 3
    means = torch.randn(1, 2, 3, 8).double() * 2
    inputs = torch.randn(1, 2, 60, 8).double() + means[:, torch.arange(2)[:, None], labels[0]]
    found = linear.learn_representation(loss, Examples(inputs, labels), 4, 0.1, "linf", bound=5.0, steps=40)
    assert found.basis.shape == (1, 4, 8) and found.heads.shape == (1, 2, 3, 4)
    for task in range(2):
        weights = (found.heads @ found.basis[:, None])[0, task]
        guess = torch.zeros(3, 8).double()
        learned, guessed = (linear.multiclass_robust_error(w, means[0, task], 0.1, "linf") for w in (weights, guess))
        assert learned < 0.5 < guessed


def test_a_bound_holds_where_the_examples_are_separable() -> None:
    tasks = linear.draw_tasks(replace(MIXTURE, scale=4.0), [0])
    target = linear.draw_target(tasks, 3)
    free, bound = (
        linear.learn_head(Margin("logistic"), tasks.basis, target, 0.01, "l2", limit).norm() for limit in (1e9, 2.0)
    )
    assert free > 5 and bound < 2.2


def test_truncating_fills_up_a_basis_that_tasks_do_not_span() -> None:
    found = truncate(torch.randn(2, 1, 1, 8).double(), 3)
    torch.testing.assert_close(found.basis @ found.basis.mT, torch.eye(3).double().expand(2, 3, 3))
    mixed = orthonormal(linear.Representation(2 * found.basis, found.heads))
    torch.testing.assert_close(mixed.heads @ mixed.basis[:, None], 2 * found.heads @ found.basis[:, None])


def test_what_has_no_answer_is_refused() -> None:
    with pytest.raises(InputError, match="rank 9, expected 1 to the dimension of the inputs, 8"):
        replace(SMALL, rank=9)
    with pytest.raises(InputError, match="0 source tasks, expected at least 1"):
        replace(SMALL, sources=0)
    with pytest.raises(InputError, match="noise nan, expected a finite number"):
        replace(SMALL, noise=float("nan"))
    tasks = linear.draw_tasks(SMALL, [0])
    sources, target = linear.draw_sources(tasks, 12), linear.draw_target(tasks, 12)
    with pytest.raises(InputError, match="no seeds"):
        linear.draw_tasks(SMALL, [])
    with pytest.raises(InputError, match="0 examples, expected"):
        linear.draw_target(tasks, 0)
    with pytest.raises(InputError, match="rank 9, expected 1 to"):
        linear.learn_representation(Squared(), sources, 9, 0.1, "l2")
    with pytest.raises(InputError, match="no source tasks"):
        linear.learn_representation(Squared(), Examples(sources.inputs[:, :0], sources.labels[:, :0]), 2, 0.1, "l2")
    few = Examples(target.inputs[:, :, :1], target.labels[:, :, :1])
    with pytest.raises(InputError, match="1 example for a head of 2 weights at eps 0"):
        linear.learn_head(Squared(), tasks.basis, few, 0.0, "l2")
    assert linear.learn_head(Squared(), tasks.basis, few, 0.1, "l2").isfinite().all()
    same = Examples(target.inputs[:, :, :1].expand(-1, -1, 12, -1), target.labels)
    with pytest.raises(InputError, match="a design of rank below the 2 weights"):
        linear.learn_head(Squared(), tasks.basis, same, 0.0, "l2")
    with pytest.raises(InputError, match="the target is source task 2"):
        linear.check_new(sources, Examples(sources.inputs[:, 2:3, :5], sources.labels[:, 2:3, :5]))
    linear.check_new(sources, target)
    with pytest.raises(InputError, match="Margin of 1 output on a regression problem"):
        linear.least_risk(Margin(), tasks, tasks.basis, 0.1, "l2")
    with pytest.raises(InputError, match="bound 0 on the norm"):
        linear.learn_head(Squared(), tasks.basis, target, 0.1, "l2", bound=0)


@pytest.mark.parametrize("norm", linear.NORMS)
@pytest.mark.parametrize("kind", ["regression", "mixture"])
def test_an_eps_that_leaves_nothing_is_refused_from_where_the_best_predictor_is_zero(kind: str, norm: Norm) -> None:
    problem = replace(SMALL, kind=kind)  # type: ignore[arg-type]
    loss, tasks = problem.loss, linear.draw_tasks(problem, [4])
    size = float(linear.attack_norm(tasks.target[0, 0], norm))
    spread = np.sqrt(0.3**2 + float(tasks.target.square().sum())) * np.sqrt(2 / np.pi)
    limit = size / spread if kind == "regression" else size
    everything = torch.eye(8).double()[None]
    nothing = linear.target_risk(loss, tasks, torch.zeros(1, 1, 1, 8).double(), 0.0, norm)
    linear.check_sensible(tasks, 0.9 * limit, norm)
    assert linear.least_risk(loss, tasks, everything, 0.9 * limit, norm) < nothing - 1e-4
    with pytest.raises(InputError, match=rf"in {norm} leaves nothing to learn: .* of seed 4 is 0"):
        linear.check_sensible(tasks, 1.01 * limit, norm)
    assert linear.least_risk(loss, tasks, everything, 1.01 * limit, norm) > nothing - 1e-4


def test_stage_one_says_which_seeds_ended_by_themselves() -> None:
    sources = linear.draw_sources(linear.draw_tasks(SMALL, [5, 6]), 30)
    ended, stopped = (linear.learn_representation(Squared(), sources, 2, 0.1, "l2", steps=n) for n in (1500, 3))
    assert ended.converged is not None and ended.converged.all()
    assert stopped.converged is not None and not stopped.converged.any()


def test_a_row_that_is_hard_does_not_hold_up_the_others() -> None:
    scales = torch.tensor([1.0, 1e4]).double()
    found = linear.minimise(lambda x: (scales[:, None] * (x - 1).abs() ** 1.5).sum(1), torch.zeros(2, 5).double())
    assert found.converged.all() and (found.point - 1).abs().max() < 1e-3


CLASSES = replace(SMALL, kind="classes")


@pytest.mark.parametrize("kind", ["logistic", "hinge", "exponential"])
def test_the_risk_of_three_classes_is_what_many_examples_say(kind: str) -> None:
    tasks = linear.draw_tasks(CLASSES, [2])
    target = linear.draw_target(tasks, 40_000)
    loss = MulticlassMargin(3, kind)  # type: ignore[arg-type]
    weights = 0.4 * tasks.target[:, :, :, :] + 0.1
    weights[..., 0, :] *= 1.5
    for norm, eps in (("l2", 0.2), ("linf", 0.05)):
        sampled = loss.worst(weights, target.inputs, target.labels, eps, norm)
        risk = float(linear.target_risk(loss, tasks, weights, eps, norm))
        assert abs(float(sampled.mean()) - risk) < 5 * float(sampled.std()) / 200
    nothing = torch.zeros_like(weights)
    phi_of_zero = {"logistic": np.log(2), "hinge": 1.0, "exponential": 1.0}[kind]
    assert float(linear.target_risk(loss, tasks, nothing, 0.2, "l2")) == pytest.approx(phi_of_zero, abs=1e-6)


def test_three_classes_have_a_gradient_and_a_least_risk() -> None:
    tasks, loss = linear.draw_tasks(replace(CLASSES, dimension=4), [0]), MulticlassMargin(3)
    everything = torch.eye(4).double()[None]
    here, there = (linear.least_risk(loss, tasks, basis, 0.2, "l2") for basis in (tasks.basis, everything))
    torch.testing.assert_close(here, there, rtol=1e-3, atol=1e-4)
    weights = torch.randn(1, 1, 3, 4).double().requires_grad_()
    risk = linear.population(loss, tasks, tasks.target, 0.1, "linf")
    assert torch.autograd.gradcheck(lambda w: risk(w, 1e-2), (weights,))
    learned = linear.learn_head(loss, tasks.basis, linear.draw_target(tasks, 60), 0.2, "l2", bound=8.0)
    assert (linear.target_risk(loss, tasks, learned, 0.2, "l2") > here - 1e-6).all()


def test_classes_that_cannot_be_are_refused() -> None:
    tasks = linear.draw_tasks(CLASSES, [0])
    linear.check_sensible(tasks, 0.1, "l2")
    with pytest.raises(InputError, match="eps 9 in l2 swaps classes 0 and 1 of the target of seed 0"):
        linear.check_sensible(tasks, 9, "l2")
    with pytest.raises(InputError, match="MulticlassMargin of 4 outputs on a classes problem"):
        linear.least_risk(MulticlassMargin(4), tasks, tasks.basis, 0.1, "l2")
    for known in (linear.clean_nu, lambda tasks: linear.estimate_nu(MulticlassMargin(3), tasks, 0.1)):
        with pytest.raises(InputError, match="got classes, expected another kind"):
            known(tasks)
    assert (linear.smallest_singular(tasks) > 0).all()

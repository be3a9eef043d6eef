"""Relationship learning against closed forms, another optimiser, and the paper's own solver."""

import numpy as np
import pytest
import torch
from poisoning_toys import toy_tasks
from scipy.optimize import minimize

from mtlattack.errors import InputError
from mtlattack.poisoning import Learner, TaskSet, make_tasks
from mtlattack.poisoning.newton import minimise
from mtlattack.poisoning.relations import Fixed, Learned, LearnedAt

KINDS = ("regression", "classification")


def jointly(tasks: TaskSet, learner: Learner) -> tuple[float, np.ndarray]:
    """F and W by L-BFGS on W, b and Ω = AAᵀ/tr(AAᵀ) at once, gradients by torch: nothing here is eliminated."""
    count, dimension = len(tasks), tasks.dimension
    points = [(torch.tensor(x), torch.tensor(y)) for x, y in tasks.points]

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        z = torch.tensor(flat, requires_grad=True)
        weights = z[: dimension * count].reshape(dimension, count)
        intercepts = z[dimension * count : dimension * count + count]
        root = z[-count * count :].reshape(count, count)
        omega = root @ root.T / (root**2).sum()
        value = 0.5 * learner.ridge * (weights**2).sum()
        for i, (x, y) in enumerate(points):
            response = x @ weights[:, i] + intercepts[i]
            squared = 0.5 * (response - y) ** 2
            logistic = torch.nn.functional.softplus(response) - y * response
            value = value + (squared if tasks.kind == "regression" else logistic).mean()
        between = weights.T @ weights + learner.smoothing * torch.eye(count, dtype=torch.float64)
        value = value + 0.5 * learner.relation * torch.trace(torch.linalg.solve(omega, between))
        value.backward()
        assert z.grad is not None
        return value.item(), z.grad.numpy()

    start = np.concatenate([np.zeros((dimension + 1) * count), np.eye(count).ravel()])
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 3000, "ftol": 0, "gtol": 1e-9})
    return found.fun, found.x[: dimension * count].reshape(dimension, count)


@pytest.mark.parametrize("kind", KINDS)
def test_newton_is_stationary_and_agrees_with_a_joint_optimiser(kind: str) -> None:
    tasks, learner = toy_tasks(kind, tasks=3, dimension=4), Learner(smoothing=1e-2)
    solution = learner.fit(tasks)
    assert solution.stationarity <= 1e-10
    value, weights = jointly(tasks, learner)
    assert solution.at.value <= value + 1e-12
    assert value == pytest.approx(solution.at.value, rel=1e-9)
    assert weights == pytest.approx(solution.parameters[:4], abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_papers_solver_ends_at_the_same_place(kind: str) -> None:
    tasks, learner = toy_tasks(kind), Learner(smoothing=1e-2)
    exact, alternating = learner.fit(tasks), learner.fit(tasks, "alternating", 1e-8)
    assert alternating.stationarity <= 1e-8
    assert alternating.parameters == pytest.approx(exact.parameters, abs=1e-6)


@pytest.mark.parametrize("smoothing", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("tasks", [2, 9])
def test_stationary_whatever_the_smoothing_and_with_more_tasks_than_features(smoothing: float, tasks: int) -> None:
    solution = Learner(smoothing=smoothing).fit(toy_tasks(tasks=tasks, dimension=4))
    assert solution.stationarity <= 1e-10


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 1)])
@pytest.mark.parametrize("which", ["learned", "fixed"])
def test_the_penalty_s_derivatives_are_those_of_its_value(shape: tuple[int, int], which: str) -> None:
    generator = np.random.default_rng(0)
    weights, direction = generator.normal(size=shape), generator.normal(size=shape)
    learned = Learned(0.7, 1e-2)
    penalty = learned if which == "learned" else learned.at(generator.normal(size=shape)).as_fixed()
    here, h = penalty.at(weights), 1e-5
    before, after = penalty.at(weights - h * direction), penalty.at(weights + h * direction)
    assert np.vdot(here.gradient, direction) == pytest.approx((after.value - before.value) / (2 * h), rel=1e-7)
    assert here.product(direction) == pytest.approx((after.gradient - before.gradient) / (2 * h), abs=1e-6)
    other = generator.normal(size=shape)
    assert np.vdot(other, here.product(direction)) == pytest.approx(np.vdot(direction, here.product(other)))


def test_omega_has_trace_one_and_is_best_for_its_weights() -> None:
    weights = np.random.default_rng(0).normal(size=(5, 3))
    at = Learned(1.0, 1e-3).at(weights)
    assert np.trace(at.covariance) == pytest.approx(1)
    between = weights.T @ weights + 1e-3 * np.eye(3)
    reached = 0.5 * np.trace(between @ np.linalg.inv(at.covariance))
    assert reached == pytest.approx(at.value)
    for seed in range(20):
        root = np.random.default_rng(seed).normal(size=(3, 3))
        other = root @ root.T / (root**2).sum()
        assert 0.5 * np.trace(between @ np.linalg.inv(other)) >= reached


def test_without_relation_it_is_ridge_regression_task_by_task() -> None:
    tasks = toy_tasks()
    found = Learner(ridge=0.3, relation=0, intercept=False).fit(tasks).parameters
    for column, (x, y) in zip(found.T, tasks.points, strict=True):
        assert column == pytest.approx(np.linalg.solve(x.T @ x / len(y) + 0.3 * np.eye(5), x.T @ y / len(y)))


def test_without_ridge_the_relation_is_enough() -> None:
    few = make_tasks("regression", [(x[:2], y[:2]) for x, y in toy_tasks().points])
    assert Learner(ridge=0, relation=0.1).fit(few).stationarity <= 1e-10


def test_a_point_twice_counts_twice() -> None:
    tasks = toy_tasks()
    twice = make_tasks("regression", [(np.tile(x, (2, 1)), np.tile(y, 2)) for x, y in tasks.points])
    assert Learner().fit(twice).parameters == pytest.approx(Learner().fit(tasks).parameters, abs=1e-8)


def test_tasks_that_say_the_same_or_nothing_leave_omega_regular() -> None:
    """W of low rank, without the smoothing a singular Ω."""
    x, y = toy_tasks().points[0]
    tasks = make_tasks("regression", [(x, y), (x, y), (x, np.zeros(len(y)))])
    solution = Learner(relation=0.1, smoothing=1e-6).fit(tasks)
    assert solution.stationarity <= 1e-10
    assert solution.parameters[:, 0] == pytest.approx(solution.parameters[:, 1], abs=1e-6)
    assert abs(solution.parameters[:, 2]).max() < 1e-8
    assert np.linalg.eigvalsh(solution.at.penalty.covariance).min() > 0  # type: ignore[attr-defined]


def test_a_task_with_one_class_needs_a_learner_without_intercept() -> None:
    tasks = toy_tasks("classification")
    x, _ = tasks.points[1]
    single = make_tasks("classification", [tasks.points[0], (x, np.ones(len(x)))])
    with pytest.raises(InputError, match="all points of task '1' have label 1: its intercept has no optimum"):
        Learner().fit(single)
    assert Learner(intercept=False).fit(single).stationarity <= 1e-10


def test_frozen_and_learned_penalties_agree_in_their_gradient() -> None:
    weights = np.random.default_rng(0).normal(size=(5, 3))
    learned = Learned(0.5, 1e-3).at(weights)
    assert isinstance(learned, LearnedAt)
    assert isinstance(learned.as_fixed(), Fixed)
    assert learned.as_fixed().at(weights).gradient == pytest.approx(learned.gradient)


def test_a_warm_start_takes_fewer_steps() -> None:
    tasks, learner = toy_tasks(), Learner()
    solution = learner.fit(tasks)
    again = minimise(learner.objective(learner.data(tasks), 5), solution.parameters, 1e-10)
    assert again.iterations == 0 < solution.iterations


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ridge": 0, "relation": 0}, "ridge 0 and relation 0 leave the weights open"),
        ({"ridge": -1.0}, "ridge -1.0, expected a number from 0 on"),
        ({"relation": float("nan")}, "relation nan, expected a number from 0 on"),
        ({"smoothing": 0}, "smoothing 0, expected a positive number: 0 makes Ω singular"),
    ],
)
def test_bad_constants(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Learner(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "points", "names", "message"),
    [
        ("regression", [], None, "no task, expected at least one"),
        ("regression", [(np.ones((0, 2)), [])], ["a"], "task 'a' is empty"),
        ("regression", [(np.ones((2, 0)), [1, 2])], ["a"], "task 'a' is empty"),
        ("regression", [([[1.0], [np.nan]], [1, 2])], ["a"], "task 'a': a feature of point 1 is not finite"),
        ("regression", [([[1.0], [2.0]], [np.inf, 2])], ["a"], "task 'a': a label of point 0 is not finite"),
        ("classification", [([[1.0], [2.0]], [0, 2])], ["a"], "task 'a' has label 2, expected 0 or 1"),
        ("regression", [([1.0, 2.0], [0, 2])], ["a"], r"task 'a' has features \(2,\) and labels \(2,\)"),
        ("regression", [([[1.0]], [1]), ([[1.0, 2]], [1])], None, "task '1' has 2 features, task '0' has 1"),
        ("regression", [([[1.0]], [1])] * 2, ["a", "a"], "two tasks are called 'a'"),
        ("regression", [([[1.0]], [1])], ["a", "b"], "2 names for 1 task"),
    ],
)
def test_bad_tasks(kind: str, points: list[tuple[object, object]], names: list[str] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_tasks(kind, points, names)  # type: ignore[arg-type]

"""∂U/∂x̂ and ∂U/∂ŷ against finite differences: the lower level is learned anew for each."""

import numpy as np
import pytest
from poisoning_toys import toy_tasks

from mtlattack.poisoning import Learner, Omega, TaskSet
from mtlattack.poisoning.data_term import DataTerm, extend
from mtlattack.poisoning.gradient import Utility, poison_gradient
from mtlattack.poisoning.newton import Solution, minimise
from mtlattack.poisoning.tasks import Points

TARGETS, ATTACKED, POINTS, STEP = (0, 1), (1, 2), 2, 1e-5


class Problem:
    """Clean tasks and injected points as one row of numbers."""

    def __init__(self, tasks: TaskSet, learner: Learner) -> None:
        self.tasks, self.learner = tasks, learner
        self.clean = learner.data(tasks)
        self.utility = Utility(self.clean, TARGETS)
        self.start = learner.start(tasks)
        generator = np.random.default_rng(1)
        self.begin = np.concatenate(
            [generator.normal(size=(POINTS, 5)).ravel().tolist() + [0.2, 0.9] for _ in ATTACKED]
        )
        self.start = self.learn(self.begin)[1].parameters

    def injected(self, numbers: np.ndarray) -> dict[int, Points]:
        rows = numbers.reshape(len(ATTACKED), -1)
        return {
            task: (extend(row[: POINTS * 5].reshape(POINTS, 5), self.learner.intercept), row[POINTS * 5 :])
            for task, row in zip(ATTACKED, rows, strict=True)
        }

    def learn(self, numbers: np.ndarray) -> tuple[DataTerm, Solution]:
        data = self.clean.with_points(self.injected(numbers))
        return data, minimise(self.learner.objective(data, 5), self.start, 1e-13)

    def value(self, numbers: np.ndarray) -> float:
        return self.utility.value(self.learn(numbers)[1].parameters)

    def gradient(self, omega: Omega) -> np.ndarray:
        data, solution = self.learn(self.begin)
        found = poison_gradient(
            solution.at, self.utility, self.injected(self.begin), data.sizes, self.tasks.kind.loss, omega, 1e-12
        )
        return np.concatenate([np.r_[found[task][0][:, :5].ravel(), found[task][1]] for task in ATTACKED])

    def differences(self) -> np.ndarray:
        units = STEP * np.eye(len(self.begin))
        return np.array([(self.value(self.begin + u) - self.value(self.begin - u)) / (2 * STEP) for u in units])


@pytest.mark.parametrize("smoothing", [1e-3, 1e-4, 1e-5])
@pytest.mark.parametrize(("kind", "intercept"), [("regression", True), ("classification", False)])
def test_exact_gradients_are_finite_differences_and_frozen_ones_are_not(
    kind: str, intercept: bool, smoothing: float
) -> None:
    problem = Problem(toy_tasks(kind, tasks=3), Learner(smoothing=smoothing, intercept=intercept))
    expected = problem.differences()
    exact, frozen = problem.gradient(Omega.EXACT), problem.gradient(Omega.FROZEN)
    size = np.linalg.norm(expected)
    assert np.linalg.norm(exact - expected) <= 1e-6 * size
    assert np.linalg.norm(frozen - expected) >= 1e-2 * size


def test_without_a_relation_other_tasks_have_no_gradient() -> None:
    tasks = toy_tasks(tasks=3)
    learner = Learner(relation=0)
    clean = learner.data(tasks)
    injected = {2: (extend(np.ones((1, 5)), True), np.ones(1))}
    data = clean.with_points(injected)
    solution = minimise(learner.objective(data, 5), learner.start(tasks), 1e-12)
    found = poison_gradient(solution.at, Utility(clean, (0,)), injected, data.sizes, tasks.kind.loss)
    assert max(abs(found[2][0]).max(), abs(found[2][1]).max()) < 1e-15

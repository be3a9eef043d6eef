"""The attack: what it may do, that it does it, and that it is the better for it."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from poisoning_toys import toy_goal, toy_tasks

from mtlattack.errors import InputError
from mtlattack.poisoning import (
    Ball,
    Box,
    Goal,
    Labels,
    Learner,
    Mode,
    Omega,
    Patom,
    TaskSet,
    check_mode,
    injected_counts,
    mode_of,
)
from mtlattack.poisoning.patom import draw_start
from mtlattack.poisoning.tasks import Points

SHORT = {"iterations": 12, "step": 0.2}


def utility(learner: Learner, tasks: TaskSet, goal: Goal, points: Mapping[int, Points]) -> float:
    """U after learning from nothing."""
    parameters = learner.fit(tasks.with_points(points)).parameters
    return float(learner.data(tasks).losses(parameters)[list(goal.targets)].sum())


@pytest.mark.parametrize("kind", ["regression", "classification"])
@pytest.mark.parametrize("attacked", [(0, 1), (2, 3), (1, 2)], ids=["direct", "indirect", "mixed"])
def test_it_finds_worse_points_than_those_it_began_with(kind: str, attacked: tuple[int, ...]) -> None:
    tasks, learner = toy_tasks(kind), Learner()
    goal = toy_goal(tasks, attacked=attacked)
    poison = Patom(**SHORT)(learner, tasks, goal)
    assert poison.utility == max(poison.history) > poison.history[0]
    assert len(poison.history) == SHORT["iterations"] + 1
    assert utility(learner, tasks, goal, poison.points) == pytest.approx(poison.utility, abs=1e-6)
    box = goal.feasible
    assert isinstance(box, Box)
    for task, (x, y) in poison.points.items():
        assert x.shape == (6, 5) and task in attacked
        assert (x >= box.low).all() and (x <= box.high).all()
        assert np.isin(y, tasks.points[task][1]).all()


def test_points_stay_in_the_ball_of_their_clean_point() -> None:
    tasks = toy_tasks()
    goal = Goal((0,), (2,), 0.2, Ball(0.3))
    attack = Patom(**SHORT)
    poison = attack(Learner(), tasks, goal)
    start = draw_start(tasks, goal, Labels.FIXED, np.random.default_rng([attack.seed, 0]))
    away = np.linalg.norm(poison.points[2][0] - start.anchors[2], axis=1)
    assert away.max() <= 0.3 * (1 + 1e-12)
    assert away.max() > 0.29
    assert (poison.points[2][1] == start.points[2][1]).all()


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_labels_that_may_move_do_more_harm(kind: str) -> None:
    tasks, learner = toy_tasks(kind), Learner()
    goal = toy_goal(tasks)
    poisons = {labels: Patom(labels=labels, **SHORT)(learner, tasks, goal) for labels in Labels}
    assert poisons[Labels.OPTIMISED].utility > poisons[Labels.FIXED].utility
    for labels, poison in poisons.items():
        for task, (_, y) in poison.points.items():
            low, high = tasks.points[task][1].min(), tasks.points[task][1].max()
            assert (y >= low).all() and (y <= high).all()
            if labels is Labels.FLIPPED or kind == "classification":
                assert np.isin(y, [low, high]).all()
    moved = poisons[Labels.OPTIMISED]
    assert utility(learner, tasks, goal, moved.points) == pytest.approx(moved.utility, abs=1e-6)


def test_a_batch_moves_so_many_points_and_a_seed_gives_the_same_points() -> None:
    tasks, learner = toy_tasks(), Learner()
    goal = toy_goal(tasks)
    once = Patom(iterations=1, step=0.2, batch=3, seed=5)
    poison = once(learner, tasks, goal)
    start = draw_start(tasks, goal, Labels.FIXED, np.random.default_rng([5, 0]))
    moved = [(x != start.points[task][0]).any(1).sum() for task, (x, _) in poison.points.items()]
    assert poison.utility > poison.history[0] and sum(moved) == 3
    again = once(learner, tasks, goal)
    assert all((again.points[task][0] == x).all() for task, (x, _) in poison.points.items())
    other = Patom(iterations=1, step=0.2, batch=3, seed=6)(learner, tasks, goal)
    assert any((other.points[task][0] != x).any() for task, (x, _) in poison.points.items())


def test_of_restarts_the_best_is_kept_and_every_iteration_is_told() -> None:
    tasks, learner, told = toy_tasks(), Learner(), []
    goal = toy_goal(tasks)
    one = Patom(**SHORT)(learner, tasks, goal)
    three = Patom(restarts=3, **SHORT)(learner, tasks, goal, lambda: told.append(1))
    assert three.utility >= one.utility
    assert len(told) == 3 * SHORT["iterations"]


def test_the_exact_gradient_leads_an_indirect_attack_higher() -> None:
    tasks, learner = toy_tasks(points=20), Learner()
    goal = toy_goal(tasks)
    reached = {omega: Patom(omega=omega, **SHORT)(learner, tasks, goal).utility for omega in Omega}
    assert reached[Omega.EXACT] > reached[Omega.FROZEN]


def test_modes_are_what_the_tasks_are_to_each_other() -> None:
    tasks = toy_tasks()
    assert [mode_of((0, 1), other) for other in ((1, 0), (2,), (1, 2))] == list(Mode)
    check_mode(Mode.INDIRECT, tasks, (0,), (1,))
    with pytest.raises(InputError, match="both name 0, 1; a indirect attack takes tasks of which none is both"):
        check_mode(Mode.INDIRECT, tasks, (0, 1), (0, 1))
    with pytest.raises(InputError, match="have none in common; a direct attack takes the same tasks"):
        check_mode(Mode.DIRECT, tasks, (0,), (1,))


def test_budgets_are_shares_or_points() -> None:
    tasks = toy_tasks()
    sized = tasks.only([np.arange(n) for n in (30, 20, 10, 1)])
    assert injected_counts(sized, (0, 1, 3), 0.2) == {0: 6, 1: 4, 3: 1}
    assert injected_counts(sized, (0, 1, 2), 12) == {0: 6, 1: 4, 2: 2}
    for budget in (3, 4, 7, 100):
        counts = injected_counts(sized, (0, 2, 3), budget)
        assert sum(counts.values()) == budget and min(counts.values()) >= 1
    assert injected_counts(sized, (1,), 1.0) == {1: 20}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda tasks: injected_counts(tasks, (0,), 0.0), "budget 0, expected a share of a task's points, above 0"),
        (lambda tasks: injected_counts(tasks, (0,), 1.5), "budget 1.5, expected a share"),
        (lambda tasks: injected_counts(tasks, (0, 1), 1), "budget of 1 point for 2 attacked tasks"),
        (lambda tasks: Box(np.ones(5), np.zeros(5)), "box holds no point: feature 0 from 1 to 0"),
        (lambda tasks: Box(np.zeros(5), np.full(5, np.inf)), "expected two rows of d finite numbers"),
        (lambda tasks: Ball(0), "ball of radius 0, expected a positive number"),
        (lambda tasks: Patom(iterations=0), "iterations 0, expected at least 1"),
        (lambda tasks: Patom(restarts=0), "restarts 0, expected at least 1"),
        (lambda tasks: Patom(batch=0), "batch 0, expected at least one point"),
        (lambda tasks: Patom(step=0), "step 0, expected a positive share"),
        (lambda tasks: tasks.numbers(["7"], "--targets"), "--targets '7', expected a task: 0, 1, 2, 3"),
        (lambda tasks: tasks.numbers([], "--targets"), "--targets names no task"),
    ],
)
def test_bad_input(make: Callable[[TaskSet], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(toy_tasks())


def test_a_feature_that_never_varies_stays_as_it_is() -> None:
    tasks = toy_tasks()
    for x, _ in tasks.points:
        x[:, 0] = 1.0
    poison = Patom(iterations=3)(Learner(), tasks, toy_goal(tasks))
    assert all((x[:, 0] == 1).all() and np.isfinite(x).all() for x, _ in poison.points.values())

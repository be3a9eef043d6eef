"""Splits, units and errors."""

import numpy as np
import pytest
from poisoning_toys import toy_tasks
from sklearn.metrics import roc_auc_score

from mtlattack.errors import InputError
from mtlattack.poisoning import make_tasks
from mtlattack.poisoning.metrics import errors
from mtlattack.poisoning.splitting import split_tasks


def test_training_points_are_standard_and_come_back() -> None:
    tasks = toy_tasks(points=40)
    raw = make_tasks("regression", [(3 * x + 7, 5 * y - i) for i, (x, y) in enumerate(tasks.points)])
    split = split_tasks(raw, seed=1, test_share=0.25)
    assert split.train.sizes == [30] * 4 and split.test.sizes == [10] * 4
    every = np.concatenate([x for x, _ in split.train.points])
    assert every.mean(0) == pytest.approx(0, abs=1e-12) and every.std(0) == pytest.approx(1)
    assert [y.std() for _, y in split.train.points] == pytest.approx([1] * 4)
    back, labels = split.units.original(2, split.test.points[2])
    rows = {tuple(np.round(row, 6)) for row in raw.points[2][0]}
    assert all(tuple(np.round(row, 6)) in rows for row in back)
    assert split.units.standard(2, (back, labels))[1] == pytest.approx(split.test.points[2][1])


def test_splits_are_of_their_seed_and_keep_both_classes_on_both_sides() -> None:
    tasks = toy_tasks("classification", points=20)
    rare = make_tasks("classification", [(x, np.r_[1.0, 1.0, np.zeros(18)]) for x, _ in tasks.points])
    one, same, other = split_tasks(rare, 0), split_tasks(rare, 0), split_tasks(rare, 1)
    assert all({0, 1} == set(y) for half in (one.train, one.test) for _, y in half.points)
    assert (one.test.points[0][0] == same.test.points[0][0]).all()
    assert not np.array_equal(one.test.points[0][0], other.test.points[0][0])


def test_what_cannot_be_split() -> None:
    alone = make_tasks("classification", [(np.ones((3, 1)), [0, 0, 1])])
    with pytest.raises(InputError, match="task '0' has 1 point of class 1, expected two"):
        split_tasks(alone, 0)
    with pytest.raises(InputError, match="task '0' has 1 point, expected two"):
        split_tasks(make_tasks("regression", [(np.ones((1, 1)), [0])]), 0)
    with pytest.raises(InputError, match="test share 1, expected above 0 and below 1"):
        split_tasks(alone, 0, 1.0)


def test_errors_are_those_of_their_definitions() -> None:
    tasks = toy_tasks("classification", tasks=2)
    parameters = np.random.default_rng(3).normal(size=(6, 2))
    found = errors(parameters, tasks)
    for i, (x, y) in enumerate(tasks.points):
        z = np.round(x @ parameters[:5, i] + parameters[5, i])  # with ties
        assert errors(np.vstack([np.eye(1), 0]), make_tasks("classification", [(z[:, None], y)]))["auc_error"] == (
            pytest.approx(1 - roc_auc_score(y, z))
        )
        assert found["error"][i] == np.mean((x @ parameters[:5, i] + parameters[5, i] > 0) != y)
    same = make_tasks("classification", [(np.ones((2, 1)), [1, 1])])
    assert np.isnan(errors(np.zeros((2, 1)), same)["auc_error"]).all()


def test_the_best_constant_has_an_nmse_of_one() -> None:
    tasks = toy_tasks(tasks=1)
    constant = np.r_[np.zeros(5), tasks.points[0][1].mean()][:, None]
    assert errors(constant, tasks)["nmse"] == pytest.approx(1)


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_a_row_that_tasks_share_is_on_one_side_in_all_of_them(kind: str) -> None:
    """Also where a task has some of the rows alone, and where a class is rare."""
    x = np.arange(60.0)[:, None]
    some = np.flatnonzero(np.arange(60) % 3)
    labels = [(np.arange(60) < 6).astype(float), (some % 2).astype(float)]
    tasks = make_tasks(kind, [(x, labels[0]), (x[some], labels[1])], rows=[np.arange(60), some])
    for seed in range(5):
        split = split_tasks(tasks, seed)
        sides = [{float(v) for points, _ in half.points for v in points[:, 0]} for half in (split.train, split.test)]
        assert not sides[0] & sides[1] and len(sides[0] | sides[1]) == 60
        assert split.test.sizes[0] == 18 and 10 <= split.test.sizes[1] <= 14
        if kind == "classification":
            assert all({0, 1} == set(y) for half in (split.train, split.test) for _, y in half.points)
    assert split.train.rows is not None and split.train.with_points({}).rows is None


def test_shared_rows_that_no_split_can_part_and_row_numbers_that_do_not_fit() -> None:
    points = [(np.ones((2, 1)), [0, 1])]
    with pytest.raises(InputError, match=r"task '0' has row numbers \(3,\) for 2 points, expected one each"):
        make_tasks("regression", points, rows=[[0, 1, 2]])
    with pytest.raises(InputError, match="row numbers of 2 tasks for 1 task"):
        make_tasks("regression", points, rows=[[0, 1], [0, 1]])
    # Every task's two points are the two of a row: one side would be empty.
    same = make_tasks("regression", points * 2, rows=[[0, 0], [0, 0]])
    with pytest.raises(InputError, match="no split of 1 row that tasks share has points of each task and class"):
        split_tasks(same, 0)

"""The estimators in scikit-learn's hands."""

import warnings

import numpy as np
import pytest
from poisoning_toys import toy_tasks
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator

from mtlattack.errors import InputError
from mtlattack.poisoning import MTRLClassifier, MTRLRegressor, NotConverged


@pytest.mark.parametrize("estimator", [MTRLRegressor(), MTRLClassifier()], ids=["regressor", "classifier"])
def test_scikit_learn_s_own_checks(estimator: MTRLRegressor | MTRLClassifier) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Estimator MTRL.* does not inherit", UserWarning)
        results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert [r["check_name"] for r in results if r["status"] == "failed"] == []
    assert sum(r["status"] == "passed" for r in results) > 40


def test_columns_and_a_task_column_say_the_same() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(20, 3))
    y = x @ generator.normal(size=(3, 2)) + 0.1 * generator.normal(size=(20, 2))
    columns = MTRLRegressor().fit(x, y)
    # Names come sorted, whatever the order of the points.
    task = np.repeat(["second", "first"], 20)
    named = MTRLRegressor().fit(np.tile(x, (2, 1)), np.concatenate([y[:, 1], y[:, 0]]), task)
    assert named.tasks_.tolist() == ["first", "second"]
    assert named.coef_ == pytest.approx(columns.coef_)
    assert columns.predict(x).shape == (20, 2)
    assert named.predict(x, np.repeat("second", 20)) == pytest.approx(columns.predict(x)[:, 1])
    assert columns.coef_.shape == (2, 3) and columns.intercept_.shape == (2,)
    assert np.trace(columns.covariance_) == pytest.approx(1)
    assert np.diag(columns.correlation_) == pytest.approx(1) and abs(columns.correlation_).max() <= 1 + 1e-12
    assert columns.stationarity_ <= 1e-10
    assert named.score(x, y[:, 0], np.repeat("first", 20)) > 0.9


def test_checked_tasks_are_learned_under_their_names() -> None:
    tasks = toy_tasks("classification")
    fitted = MTRLClassifier().fit_tasks(tasks)
    x, y = tasks.points[2]
    assert fitted.score(x, y, np.repeat("2", len(y))) > 0.8
    assert fitted.predict_proba(x, np.repeat("2", len(y))).sum(1) == pytest.approx(1)
    with pytest.raises(InputError, match="tasks of classification, expected regression"):
        MTRLRegressor().fit_tasks(tasks)


def test_both_solvers_agree_and_one_that_is_stopped_says_so() -> None:
    tasks = toy_tasks()
    alternating = MTRLRegressor(smoothing=1e-2, solver="alternating", tol=1e-7).fit_tasks(tasks)
    newton = MTRLRegressor(smoothing=1e-2).fit_tasks(tasks)
    assert alternating.covariance_ == pytest.approx(newton.covariance_, abs=1e-5)
    with pytest.warns(NotConverged, match="alternating: stationarity .* after 2 iterations, expected 1e-10"):
        MTRLRegressor(solver="alternating", max_iter=2).fit_tasks(tasks)


def test_parameters_are_cloned_searched_and_shown() -> None:
    estimator = MTRLRegressor(relation=0.5)
    assert clone(estimator).get_params() == estimator.get_params()
    assert repr(estimator) == "MTRLRegressor(relation=0.5)"
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(30, 3)), generator.normal(size=30)
    search = GridSearchCV(MTRLRegressor(), {"ridge": [0.01, 100]}, cv=2).fit(x, x[:, 0] + 0.1 * y)
    assert search.best_params_ == {"ridge": 0.01}
    with pytest.raises(InputError, match="MTRLRegressor has no parameter 'lamda'"):
        estimator.set_params(lamda=1)


def test_a_column_of_labels_is_scored_as_the_labels() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 2))
    y = x @ [1.0, -2.0] + 0.1 * rng.normal(size=30)
    for estimator, labels in ((MTRLRegressor(), y), (MTRLClassifier(), (y > 0).astype(int))):
        column = labels[:, None]
        scores = {fitted.score(x, each) for fitted in (estimator.fit(x, column),) for each in (labels, column)}
        assert len(scores) == 1 and scores.pop() > 0.9


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda x, y: MTRLRegressor(solver="adam").fit(x, y), "solver 'adam', expected newton or alternating"),
        (lambda x, y: MTRLRegressor(smoothing=0).fit(x, y), "smoothing 0, expected a positive number"),
        (lambda x, y: MTRLRegressor().fit(x, y, np.zeros(3)), r"y \(6,\) and task \(3,\), expected \[6\] both"),
        (lambda x, y: MTRLClassifier().fit(x, y), "Only binary classification"),
        (lambda x, y: MTRLRegressor().fit(x, y, y).predict(x, y + 9), "task has .*9.*, expected"),
        (lambda x, y: MTRLRegressor().predict(x), "not fitted yet"),
        (lambda x, y: MTRLRegressor().fit(x, y).score(x, y[:3]), r"y is \(3,\), expected \(6,\)"),
        (lambda x, y: MTRLRegressor().fit(x, y).predict(x[:, :1]), "X has 1 features, but MTRL"),
    ],
)  # fmt: skip
def test_bad_input(fit: object, message: str) -> None:
    x, y = np.arange(12.0).reshape(6, 2), np.arange(6)
    with pytest.raises(ValueError, match=message):
        fit(x, y)  # type: ignore[operator]

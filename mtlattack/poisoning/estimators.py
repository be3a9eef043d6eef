"""Multi-task relationship learning (Zhang & Yeung, UAI 2010) as estimators in scikit-learn's conventions."""

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from mtlattack.errors import InputError
from mtlattack.poisoning.conventions import Parametrised, checked_features, checked_labels
from mtlattack.poisoning.learner import Learner, Solver
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.relations import LearnedAt, correlation
from mtlattack.poisoning.tasks import Kind, TaskSet, make_tasks
from mtlattack.wording import counted


class NotConverged(UserWarning):
    """A solver ended before the stationarity that was asked for."""


class _Relationship(Parametrised):
    """What both estimators are but for their labels.

    `fit(X, y)` takes `[n, d]` and `[n, T]`, all tasks at the same points as scikit-learn's multi-task estimators, or
    `[n]` for one task; `fit(X, y, task)` takes `[n]` and each point's task, named by whatever can be sorted. Fitted:
    `coef_` `[T, d]`, `intercept_` `[T]`, `tasks_` (names), `covariance_` Ω and `correlation_` `[T, T]`, `stationarity_`
    (‖∇F‖ over max(1, ‖∇F(0)‖)), `n_iter_`, `n_features_in_`. Warns with `NotConverged` where `tol` is not reached.
    """

    _kind: Kind

    def __init__(
        self, ridge: float = 0.01, relation: float = 0.01, smoothing: float = 1e-3, fit_intercept: bool = True,
        solver: str = "newton", tol: float = 1e-10, max_iter: int = 2000,
    ) -> None:  # fmt: skip
        self.ridge, self.relation, self.smoothing = ridge, relation, smoothing
        self.fit_intercept, self.solver, self.tol, self.max_iter = fit_intercept, solver, tol, max_iter

    @property
    def learner(self) -> Learner:
        """The constants, checked."""
        return Learner(self.ridge, self.relation, self.smoothing, self.fit_intercept)

    def fit(self, X: ArrayLike, y: ArrayLike, task: ArrayLike | None = None) -> Self:
        """Learn all tasks; InputError for what is no data, or has no optimum."""
        x = checked_features(X)
        labels = checked_labels(y, len(x))
        self._single = task is None and labels.ndim == 1
        labels = self._encode(labels)
        if task is None:
            columns = labels.reshape(len(x), -1).T
            self.tasks_ = np.arange(len(columns))
            points = [(x, column) for column in columns]
        else:
            assigned = np.asarray(task)
            if labels.ndim != 1 or assigned.shape != (len(x),):
                raise InputError(f"y {labels.shape} and task {assigned.shape}, expected [{len(x)}] both")
            self.tasks_ = np.unique(assigned)
            points = [(x[assigned == each], labels[assigned == each]) for each in self.tasks_]
        return self._learn(make_tasks(self._kind, points, [str(each) for each in self.tasks_]))

    def fit_tasks(self, tasks: TaskSet) -> Self:
        """Learn tasks that are checked already, under their names."""
        if tasks.kind is not self._kind:
            raise InputError(f"tasks of {tasks.kind}, expected {self._kind} for {type(self).__name__}")
        self.tasks_, self._single = np.array(tasks.names), False
        self.classes_ = np.arange(2)
        return self._learn(tasks)

    def _learn(self, tasks: TaskSet) -> Self:
        if str(self.solver) not in list(Solver):
            raise InputError(f"solver {self.solver!r}, expected {' or '.join(Solver)}")
        solution = self.learner.fit(tasks, self.solver, self.tol, self.max_iter)
        if solution.stationarity > self.tol:
            warnings.warn(
                f"{self.solver}: stationarity {solution.stationarity:.1e} after "
                f"{counted(solution.iterations, 'iteration')}, "
                f"expected {self.tol:g}",
                NotConverged,
                stacklevel=3,
            )
        relation = solution.at.penalty
        assert isinstance(relation, LearnedAt)
        self.n_features_in_ = tasks.dimension
        self.parameters_ = solution.parameters
        self.coef_ = solution.parameters[: tasks.dimension].T
        self.intercept_ = solution.parameters[-1] if self.fit_intercept else np.zeros(len(tasks))
        self.covariance_ = relation.covariance
        self.correlation_ = correlation(self.covariance_)
        self.stationarity_, self.n_iter_ = solution.stationarity, max(1, solution.iterations)
        return self

    def _responses(self, X: ArrayLike, task: ArrayLike | None) -> Array:
        """w_iᵀx + b_i: of the points' own tasks `[n]`, else of all tasks `[n, T]`, or `[n]` after fitting only one."""
        if not hasattr(self, "coef_"):
            raise _not_fitted(self)
        x = checked_features(X, self.n_features_in_, type(self).__name__)
        if task is None:
            every = x @ self.coef_.T + self.intercept_
            return every[:, 0] if self._single else every
        assigned = np.asarray(task)
        known = np.isin(assigned, self.tasks_)
        if assigned.shape != (len(x),) or not known.all():
            wrong = f"has {assigned[~known][0]!r}" if assigned.shape == (len(x),) else f"is {assigned.shape}"
            raise InputError(f"task {wrong}, expected [{len(x)}] of {counted(len(self.tasks_), 'learned task')}")
        order = np.argsort(self.tasks_)
        index = order[np.searchsorted(self.tasks_, assigned, sorter=order)]
        return np.einsum("nd,nd->n", x, self.coef_[index]) + self.intercept_[index]

    def _encode(self, labels: Any) -> Array:
        raise NotImplementedError


def _as_predicted(labels: Array, predicted: Array) -> Array:
    """Labels in the shape of the predictions; InputError where they are others in number."""
    if labels.size != predicted.size:
        raise InputError(f"y is {labels.shape}, expected {predicted.shape}")
    return labels.reshape(predicted.shape)


class MTRLRegressor(_Relationship):
    """Relationship learning with the squared loss ½r²; `score` is R²."""

    _kind = Kind.REGRESSION
    _estimator_type = "regressor"

    def _encode(self, labels: Any) -> Array:
        try:
            values = np.asarray(labels, np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"y is not numeric ({error})") from None
        if not np.isfinite(values).all():
            raise InputError("Input y contains NaN or infinity; expected finite numbers")
        return values

    def predict(self, X: ArrayLike, task: ArrayLike | None = None) -> Array:
        """`[n]` for the points' own tasks, else `[n, T]` for all of them."""
        return self._responses(X, task)

    def score(self, X: ArrayLike, y: ArrayLike, task: ArrayLike | None = None) -> float:
        """1 − Σ(y − ŷ)²/Σ(y − ȳ)² over all points, those of several tasks together where `task` says whose they are; of
        several columns of labels the mean."""
        predicted = self.predict(X, task)
        labels = _as_predicted(self._encode(y), predicted)
        rest = ((labels - predicted) ** 2).sum(0)
        spread = ((labels - labels.mean(0)) ** 2).sum(0)
        return float(np.mean(1 - rest / np.where(spread == 0, 1, spread)))

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import RegressorTags, Tags, TargetTags

        target = TargetTags(required=True, multi_output=True)
        return Tags(estimator_type="regressor", target_tags=target, regressor_tags=RegressorTags())


class MTRLClassifier(_Relationship):
    """Relationship learning with the logistic loss, two classes; `score` is the share of right answers."""

    _kind = Kind.CLASSIFICATION
    _estimator_type = "classifier"

    def _encode(self, labels: Any) -> Array:
        if labels.dtype.kind == "f" and not np.isfinite(labels).all():
            raise InputError("Input y contains NaN or infinity; expected class labels")
        if labels.dtype.kind == "f" and (labels != np.round(labels)).any():
            raise InputError("Unknown label type: continuous, expected two classes")
        self.classes_ = np.unique(labels)
        if len(self.classes_) != 2:
            found = counted(len(self.classes_), "class")
            raise InputError(
                f"Only binary classification is supported. The labels y: found {found}, expected two classes"
            )
        return (labels == self.classes_[1]).astype(np.float64)

    def decision_function(self, X: ArrayLike, task: ArrayLike | None = None) -> Array:
        """Log odds of the second class, shaped as `predict`'s answer."""
        return self._responses(X, task)

    def predict_proba(self, X: ArrayLike, task: ArrayLike | None = None) -> Array:
        """Of both classes `[n, 2]`; of the second class `[n, T]` where all tasks are asked for at once."""
        odds = self._responses(X, task)
        return expit(odds) if odds.ndim == 2 else np.column_stack([expit(-odds), expit(odds)])

    def predict(self, X: ArrayLike, task: ArrayLike | None = None) -> Any:
        """Classes: `[n]` for the points' own tasks, else `[n, T]` for all of them."""
        odds = self._responses(X, task)
        return self.classes_[(odds > 0).astype(np.intp)]

    def score(self, X: ArrayLike, y: ArrayLike, task: ArrayLike | None = None) -> float:
        """The share of right answers."""
        predicted = self.predict(X, task)
        return float(np.mean(predicted == _as_predicted(np.asarray(y), predicted)))

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, Tags, TargetTags

        target = TargetTags(required=True, multi_output=True)
        kinds = ClassifierTags(multi_class=False)
        return Tags(estimator_type="classifier", target_tags=target, classifier_tags=kinds)


def _not_fitted(estimator: object) -> Exception:
    """scikit-learn's own error where that is at hand, which its tools look for."""
    message = f"This {type(estimator).__name__} instance is not fitted yet; call fit first"
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:
        return InputError(message)
    return NotFittedError(message)

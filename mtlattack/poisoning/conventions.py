"""What scikit-learn asks of an estimator, without importing it: parameters by name, and checked input."""

import inspect
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from mtlattack.errors import InputError
from mtlattack.poisoning.losses import Array


class Parametrised:
    """An estimator whose parameters are the arguments of its constructor, kept as they are under their names."""

    @classmethod
    def _names(cls) -> list[str]:
        return sorted(name for name in inspect.signature(cls.__init__).parameters if name != "self")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; `deep` is for estimators within estimators, of which there are none."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters by name; InputError for a name that is none."""
        for name, value in parameters.items():
            if name not in self._names():
                raise InputError(f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(self._names())}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = {name: value for name, value in self.get_params().items() if value != defaults[name].default}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in changed.items())})"


def checked_features(features: ArrayLike, expected: int | None = None, owner: str = "") -> Array:
    """Features `[n, d]` as numbers; InputError, in the words that scikit-learn's checks look for, for anything else."""
    if hasattr(features, "toarray"):
        raise TypeError("A sparse matrix was passed, but dense data is required; use its toarray()")
    x = _numbers(features)
    if x.ndim != 2:
        raise InputError(f"Expected 2D array, got {x.ndim}D array of shape {x.shape}. Reshape your data to [n, d]")
    if expected is not None and x.shape[1] != expected:
        raise InputError(f"X has {x.shape[1]} features, but {owner} is expecting {expected} features as input")
    for what, count in (("sample", x.shape[0]), ("feature", x.shape[1])):
        if not count:
            raise InputError(f"Found array with 0 {what}(s) (shape={x.shape}) while a minimum of 1 is required.")
    return _finite(x, "X")


def checked_labels(labels: ArrayLike, count: int) -> Any:
    """Labels `[n]` or `[n, T]` for `count` points; InputError for none and for other lengths."""
    if labels is None:
        raise InputError("requires y to be passed, but the target y is None")
    y = np.asarray(labels)
    if np.iscomplexobj(y):
        raise InputError("Complex data not supported in y")
    if y.ndim not in (1, 2) or len(y) != count:
        raise InputError(f"y has shape {y.shape}, expected [{count}] or [{count}, T]: inconsistent numbers of samples")
    return y


def _numbers(values: ArrayLike) -> Array:
    x = np.asarray(values)
    if np.iscomplexobj(x):
        raise InputError("Complex data not supported")
    try:
        return x.astype(np.float64)
    except (TypeError, ValueError) as error:
        if x.dtype == object and "argument must be a string" in str(error):
            raise TypeError(f"argument must be a string or a number: {error}") from None
        raise InputError(f"X is not numeric ({error})") from None


def _finite(x: Array, name: str) -> Array:
    if not np.isfinite(x).all():
        found = "NaN" if np.isnan(x).any() else "infinity"
        raise InputError(f"Input {name} contains {found}; expected finite numbers (NaN or inf are not)")
    return x

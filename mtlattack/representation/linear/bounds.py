"""The shapes of the bounds on excess adversarial risk, and the constants with which they lie nearest to measurements.

Bounds are upper bounds without their constants and logarithms: what is fitted is a curve to be drawn beside the
measured one, and proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from mtlattack.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Size:
    """How much data there is, of what dimension, and the diversity ν."""

    dimension: int
    rank: int
    sources: int
    source_examples: int
    target_examples: int
    nu: float
    least_risk: float


def optimistic(size: Size) -> tuple[float, float]:
    """Target and source terms for smooth nonnegative losses: √(R*a) + a with a = k/m, and (√(R*b) + b)/ν with
    b = k²d/(nt) + k/n (Watkins et al., NeurIPS 2023 and 2024, linear classes)."""
    a = size.rank / size.target_examples
    b = size.rank**2 * size.dimension / (size.source_examples * size.sources) + size.rank / size.source_examples
    return (size.least_risk * a) ** 0.5 + a, ((size.least_risk * b) ** 0.5 + b) / size.nu


def lipschitz(size: Size) -> tuple[float, float]:
    """Target and source terms for Lipschitz losses: √(k/m), and [√(kd/(nt)) + √(k/n)]/ν (NeurIPS 2024)."""
    pooled = size.source_examples * size.sources
    learning = (size.rank * size.dimension / pooled) ** 0.5 + (size.rank / size.source_examples) ** 0.5
    return (size.rank / size.target_examples) ** 0.5, learning / size.nu


def fit_constants(terms: Sequence[tuple[float, float]], excess: Sequence[float]) -> tuple[float, float]:
    """Constants c ≥ 0 with which c·terms is nearest to the excess, relative to it. InputError for an excess that is not
    positive."""
    values = np.asarray(excess, np.float64)
    if not (values > 0).all():
        raise InputError(f"excess risk {values.min():g}, expected positive numbers to fit a bound's shape to")
    found, _ = nnls(np.asarray(terms, np.float64) / values[:, None], np.ones(len(values)))
    return float(found[0]), float(found[1])

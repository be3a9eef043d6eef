"""Cells of studies as if they had been measured."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtlattack.studies import Measured

RESAMPLES = 50


def numbers(value: float, spread: float = 0.01, seed: int = 0) -> list[float]:
    """A number on the images as they are, and on resamples of them."""
    noise = np.random.default_rng(seed).normal(0, spread, RESAMPLES)
    return [value, *(value + noise)]


def cell(name: str, settings: Mapping[str, Any], **found: Any) -> Measured:
    return Measured(name, settings, found)

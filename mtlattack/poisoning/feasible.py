"""Where injected points may lie."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import Generator

from mtlattack.errors import InputError
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.tasks import TaskSet


class Feasible(Protocol):
    """The set X of each injected point; an anchor is the clean point that it began as."""

    @property
    def widths(self) -> Array:
        """How far apart its points can be in each feature, `[d]` or one number: the unit of an attack's steps."""
        ...

    def project(self, points: Array, anchors: Array) -> Array:
        """The nearest feasible points `[m, d]`."""
        ...

    def draw(self, anchors: Array, generator: Generator) -> Array:
        """Points `[m, d]`, uniform in the set of each anchor."""
        ...


@dataclass(frozen=True)
class Box:
    """low ≤ x ≤ high `[d]` each; InputError for one that holds no point."""

    low: Array
    high: Array

    def __post_init__(self) -> None:
        low, high = np.atleast_1d(self.low), np.atleast_1d(self.high)
        if low.shape != high.shape or low.ndim != 1 or not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise InputError(f"box from {low.shape} to {high.shape}, expected two rows of d finite numbers")
        if (low > high).any():
            feature = int(np.argmax(low > high))
            raise InputError(f"box holds no point: feature {feature} from {low[feature]:g} to {high[feature]:g}")

    @classmethod
    def around(cls, tasks: TaskSet, margin: float = 0.0) -> "Box":
        """The smallest that holds all points of all tasks, wider by `margin` of its width on every side."""
        every = np.concatenate([x for x, _ in tasks.points])
        low, high = every.min(0), every.max(0)
        return cls(low - margin * (high - low), high + margin * (high - low))

    @property
    def widths(self) -> Array:
        return self.high - self.low

    def project(self, points: Array, anchors: Array) -> Array:
        return points.clip(self.low, self.high)

    def draw(self, anchors: Array, generator: Generator) -> Array:
        return generator.uniform(self.low, self.high, anchors.shape)


@dataclass(frozen=True)
class Ball:
    """‖x − anchor‖₂ ≤ radius; InputError for a radius that is not positive and finite."""

    radius: float

    def __post_init__(self) -> None:
        if not 0 < self.radius < np.inf:
            raise InputError(f"ball of radius {self.radius!r}, expected a positive number")

    @property
    def widths(self) -> Array:
        return np.array(2 * self.radius)

    def project(self, points: Array, anchors: Array) -> Array:
        away = points - anchors
        lengths = np.linalg.norm(away, axis=1, keepdims=True)
        return anchors + away * np.minimum(1, self.radius / np.maximum(lengths, 1e-300))

    def draw(self, anchors: Array, generator: Generator) -> Array:
        directions = generator.normal(size=anchors.shape)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = self.radius * generator.random((len(anchors), 1)) ** (1 / anchors.shape[1])
        return anchors + lengths * directions

"""The direction with the least mean angle to given ones: the geodesic median on the sphere."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_GRID = 200
_MOST_FREQUENT = 256
_NEAREST = 16
_STARTS = 8
_REFINED = 3
_STEPS = 60
_MOST_UNGROUPED = 4096
_CELLS = 16
_SMALL = 1e-9
_SHORTEST_STEP = 1e-5
_ANGLES_AT_ONCE = 4_000_000


def median_direction(directions: Array, weights: Array) -> Array:
    """The unit vector `[3]` with the least weighted mean angle to unit vectors `[K, 3]`, weights `[K]` positive.

    The mean angle has many local minima, among them cusps at frequent directions. So it is evaluated at the mean
    direction, at the most frequent ones and on a grid; the best are refined by Weiszfeld's iteration on the sphere
    (Fletcher, Venkatasubramanian and Joshi 2009), compared with the given directions next to them, and the best of
    all is returned: of equals the first. Where directions are many, groups of close ones stand in for the first choice.
    """
    groups = _grouped(directions, weights)
    frequent = directions[np.argsort(-weights, kind="stable")[:_MOST_FREQUENT]]
    starts = _best(np.concatenate([_unit(weights @ directions), frequent, _fibonacci(_GRID)]), *groups, _STARTS)
    close = np.concatenate([starts, [_weiszfeld(start, *groups) for start in starts]])
    best = _best(close, directions, weights, _REFINED)
    refined = np.stack([_weiszfeld(point, directions, weights) for point in best])
    nearest = [directions[np.argsort(-(directions @ point), kind="stable")[:_NEAREST]] for point in refined]
    return _best(np.concatenate([best, refined, *nearest]), directions, weights, 1)[0]


def _best(candidates: Array, directions: Array, weights: Array, count: int) -> Array:
    """The `count` candidates with the least mean angles, the least first."""
    return candidates[np.argsort(mean_angles(candidates, directions, weights), kind="stable")[:count]]


def _grouped(directions: Array, weights: Array) -> tuple[Array, Array]:
    """Some thousand directions with the weights of all those close to them; few are left as they are."""
    if len(directions) <= _MOST_UNGROUPED:
        return directions, weights
    x, y, z = (np.rint(directions * _CELLS) + _CELLS).astype(np.int64).T
    width = 2 * _CELLS + 1
    cell = (x * width + y) * width + z
    sums: Array = np.stack([np.bincount(cell, weights * part) for part in directions.T], 1).astype(np.float64)
    counts: Array = np.bincount(cell, weights).astype(np.float64)
    kept = counts > 0
    lengths = np.linalg.norm(sums[kept], axis=1)
    return sums[kept] / lengths[:, None], counts[kept]


def mean_angles(candidates: Array, directions: Array, weights: Array) -> Array:
    """Weighted mean angle in radians from each of the unit vectors `[M, 3]` to the unit vectors `[K, 3]`, `[M]`."""
    together = max(1, _ANGLES_AT_ONCE // len(directions))
    parts = [candidates[k : k + together] for k in range(0, len(candidates), together)]
    return np.concatenate([_angles(part @ directions.T) @ weights for part in parts]) / weights.sum()


def _weiszfeld(point: Array, directions: Array, weights: Array) -> Array:
    """Where the iteration ends that starts at `point` `[3]`: a local minimum, or close to one."""
    for _ in range(_STEPS):
        cosine = directions @ point
        sine = np.sqrt(np.maximum(1 - cosine**2, 0))
        # From the point itself, and from the one opposite to it, no way is the shortest.
        apart = sine > _SMALL
        pull = np.where(apart, weights / np.where(apart, sine, 1), 0)
        tangent = pull @ directions - (pull @ cosine) * point
        # A direction at the point itself holds it with its weight (Vardi and Zhang 2000).
        strength, hold = float(np.linalg.norm(tangent)), weights[~apart & (cosine > 0)].sum()
        if strength <= hold + _SMALL:
            break
        softness = np.where(apart, weights / np.where(apart, _angles(cosine), 1), 0).sum()
        length = (strength - hold) / softness
        point = _unit(np.cos(length) * point + np.sin(length) * tangent / strength)[0]
        if length < _SHORTEST_STEP:
            break
    return point


def _angles(cosine: Array) -> Array:
    return np.arccos(cosine.clip(-1, 1))


def _fibonacci(count: int) -> Array:
    """Points spread evenly over the sphere, `[count, 3]`: on a spiral that turns by the golden angle."""
    k = np.arange(count) + 0.5
    height, turn = 1 - 2 * k / count, np.pi * (1 + np.sqrt(5)) * k
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], 1)


def _unit(vector: Array) -> Array:
    """The direction of a vector `[3]` as one row, `[1, 3]`; no row if it has none."""
    length = np.linalg.norm(vector)
    return (vector / length)[None] if length > _SMALL else np.empty((0, 3))

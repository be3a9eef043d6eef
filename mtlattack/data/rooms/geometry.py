"""Rays against convex primitives: each gives the interval [near, far] of the ray's parameter that lies inside."""

from typing import Any

import numpy as np

from mtlattack.data.rooms.scene import Channels, Item, Vec

Interval = tuple[np.ndarray, np.ndarray]

FAR = 1e9
_TINY = 1e-9


def away_from_zero(x: np.ndarray) -> np.ndarray:
    """`x` with values nearer to zero than 1e-9 moved there, so that 1/x stays finite."""
    return np.where((x < _TINY) & (x > -_TINY), _TINY, x)


def local_direction(item: Item, dx: np.ndarray, dz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The horizontal components of a world vector in the item's frame (the vertical one is unchanged)."""
    if item.sin == 0.0 and item.cos == 1.0:
        return dx, dz
    return item.cos * dx - item.sin * dz, item.sin * dx + item.cos * dz


def _slab(low: float, high: float, origin: np.ndarray | float, inverse: np.ndarray) -> Interval:
    a = (low - origin) * inverse
    b = (high - origin) * inverse
    return np.minimum(a, b), np.maximum(a, b)


def box_interval(low: Vec, high: Vec, origin: tuple[Any, ...], inverse: Channels) -> Interval:
    """The interval inside an axis-aligned box; `inverse` is 1/direction. Empty if near > far."""
    near, far = _slab(low[0], high[0], origin[0], inverse[0])
    for axis in (1, 2):
        a, b = _slab(low[axis], high[axis], origin[axis], inverse[axis])
        near = np.maximum(near, a)
        far = np.minimum(far, b)
    return near, far


def _quadratic(a: np.ndarray, b: np.ndarray, c: np.ndarray | float) -> Interval:
    """Where a t² + 2 b t + c <= 0 (a > 0); (FAR, -FAR) where nowhere."""
    root = b * b - a * c
    miss = root < 0.0
    root = np.sqrt(np.where(miss, 0.0, root))
    return np.where(miss, FAR, (-b - root) / a), np.where(miss, -FAR, (root - b) / a)


def _scaled(
    low: Vec, high: Vec, origin: tuple[Any, ...], direction: Channels, axes: tuple[int, ...]
) -> list[tuple[Any, ...]]:
    """Origin and direction along `axes` in units in which the inscribed ellipse is the unit circle."""
    pairs = []
    for axis in axes:
        centre = 0.5 * (low[axis] + high[axis])
        scale = 2.0 / (high[axis] - low[axis])
        pairs.append(((origin[axis] - centre) * scale, direction[axis] * scale))
    return pairs


def cylinder_interval(low: Vec, high: Vec, origin: tuple[Any, ...], direction: Channels, inverse: Channels) -> Interval:
    """The interval inside the vertical elliptic cylinder inscribed in the box."""
    (ox, dx), (oz, dz) = _scaled(low, high, origin, direction, (0, 2))
    near, far = _quadratic(dx * dx + dz * dz + 1e-18, ox * dx + oz * dz, ox * ox + oz * oz - 1.0)
    a, b = _slab(low[1], high[1], origin[1], inverse[1])
    return np.maximum(near, a), np.minimum(far, b)


def ellipsoid_interval(low: Vec, high: Vec, origin: tuple[Any, ...], direction: Channels) -> Interval:
    """The interval inside the ellipsoid inscribed in the box."""
    (ox, dx), (oy, dy), (oz, dz) = _scaled(low, high, origin, direction, (0, 1, 2))
    return _quadratic(dx * dx + dy * dy + dz * dz, ox * dx + oy * dy + oz * dz, ox * ox + oy * oy + oz * oz - 1.0)


def interval(
    shape: str, low: Vec, high: Vec, origin: tuple[Any, ...], direction: Channels, inverse: Channels
) -> Interval:
    """The interval inside a primitive of the given shape."""
    if shape == "box":
        return box_interval(low, high, origin, inverse)
    if shape == "cylinder":
        return cylinder_interval(low, high, origin, direction, inverse)
    return ellipsoid_interval(low, high, origin, direction)


def surface(shape: str, low: Vec, high: Vec, point: Channels) -> tuple[Channels, np.ndarray, np.ndarray]:
    """Outward unit normals, and texture coordinates u, v in metres, at local points [n] on a primitive's surface."""
    q = [(p - 0.5 * (a + b)) * (2.0 / (b - a)) for p, a, b in zip(point, low, high, strict=True)]
    if shape == "box":
        ax, ay, az = (np.where(c < 0.0, -c, c) for c in q)
        on_y = (ay >= ax) & (ay >= az)
        on_x = (ax > az) & ~on_y
        on_z = ~(on_y | on_x)
        n = tuple(np.where(on, np.where(c < 0.0, -1.0, 1.0), 0.0) for on, c in zip((on_x, on_y, on_z), q, strict=True))
        return n, np.where(on_x, point[2], point[0]), np.where(on_y, point[2], point[1])  # type: ignore[return-value]
    inner = [c * (2.0 / (b - a)) for c, a, b in zip(q, low, high, strict=True)]
    if shape == "cylinder":
        cap = (q[1] > 1.0 - 1e-9) | (q[1] < -1.0 + 1e-9)
        length = np.sqrt(inner[0] * inner[0] + inner[2] * inner[2])
        length = np.where(length > 0.0, length, 1.0)
        n = (
            np.where(cap, 0.0, inner[0] / length),
            np.where(cap, np.where(q[1] < 0.0, -1.0, 1.0), 0.0),
            np.where(cap, 0.0, inner[2] / length),
        )
        return n, point[0], np.where(cap, point[2], point[1])
    length = np.sqrt(inner[0] * inner[0] + inner[1] * inner[1] + inner[2] * inner[2])
    return (inner[0] / length, inner[1] / length, inner[2] / length), point[0], point[1]

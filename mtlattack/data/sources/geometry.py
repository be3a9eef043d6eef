"""Surface normals from a depth map, where a data set has none of its own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera: the point at depth z in pixel (row, column) is ((column − cx) z / fx, (row − cy) z / fy, z)."""

    fx: float
    fy: float
    cx: float
    cy: float


def normals_from_depth(
    depth: NDArray[np.floating],
    camera: Intrinsics,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    window: int = 21,
) -> NDArray[np.float64]:
    """Unit normals `[len(rows), len(columns), 3]` at these pixels of a depth map `[H, W]` (z-depth, any unit).

    A plane a·u + b·v + c = 1/z is fitted by least squares over the valid pixels of a `window` × `window` square
    around each pixel (cut off at the border); u, v are the pixel's x/z and y/z. Planes are linear in inverse depth, and
    so are a stereo or structured-light sensor's errors nearly uniform in it. x right, y down, z forward, facing the
    camera. Depth ≤ 0 or not finite is invalid; a pixel that is invalid or whose window fixes no plane gets 0, 0, 0.
    """
    valid = np.isfinite(depth) & (depth > 0)
    inverse = np.divide(1.0, depth, out=np.zeros(depth.shape), where=valid)
    u = (np.arange(depth.shape[1]) - camera.cx) / camera.fx
    v = ((np.arange(depth.shape[0]) - camera.cy) / camera.fy)[:, None]
    # u does not change along a column: it is multiplied in after the sums over rows, when fewer pixels are left.
    w = valid.astype(np.float64)
    moments = np.stack([w, w * v, w * v * v, inverse, inverse * v])
    w, wv, wvv, q, qv = _window_sums(moments, rows, window, axis=1)
    moments = np.stack([w, w * u, wv, w * u * u, wv * u, wvv, q, q * u, qv])
    sums = _window_sums(moments, columns, window, axis=2)

    count = np.maximum(sums[0], 1)
    mu, mv, uu, uv, vv, mean, uq, vq = sums[1:] / count
    uu, uv, vv, uq, vq = uu - mu * mu, uv - mu * mv, vv - mv * mv, uq - mu * mean, vq - mv * mean
    determinant = uu * vv - uv * uv
    # A window full of valid pixels has the determinant (var u · var v); far below it, the pixels lie on a line.
    full = _full_variance(camera.fx, window) * _full_variance(camera.fy, window)
    fixed = (sums[0] >= 3) & (determinant > 1e-6 * full)
    scale = np.divide(1.0, determinant, out=np.zeros_like(determinant), where=fixed)
    a, b = (uq * vv - vq * uv) * scale, (vq * uu - uq * uv) * scale
    # (a, b, c) · (u, v, 1) = 1/z > 0: the vector points away from the camera, its negative faces it.
    normal = -np.stack([a, b, mean - a * mu - b * mv], -1)
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    keep = (fixed & valid[np.ix_(rows, columns)])[..., None] & (length > 0)
    unit: NDArray[np.float64] = np.divide(normal, length, out=np.zeros_like(normal), where=keep)
    return unit


def _full_variance(focal: float, window: int) -> float:
    return (window**2 - 1) / 12 / focal**2


def _window_sums(planes: NDArray[np.float64], centres: NDArray[np.intp], window: int, axis: int) -> NDArray[np.float64]:
    """Sums over `window` entries of an axis around each centre, cut off at the ends: differences of running sums."""
    length = planes.shape[axis]
    running = np.zeros([n + (k == axis) for k, n in enumerate(planes.shape)])
    np.cumsum(planes, axis, out=running[(slice(None),) * axis + (slice(1, None),)])
    half = window // 2
    stop, start = np.minimum(centres + half + 1, length), np.maximum(centres - half, 0)
    difference: NDArray[np.float64] = running.take(stop, axis) - running.take(start, axis)
    return difference

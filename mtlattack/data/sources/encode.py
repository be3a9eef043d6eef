"""From physical values to the numbers that a prepared file stores."""

import numpy as np
from numpy.typing import NDArray

_LONGEST = np.iinfo(np.uint16).max


def encode_scaled(values: NDArray[np.floating], scale: float) -> NDArray[np.uint16]:
    """Positive values as uint16 multiples of `scale`; 0, invalid, for what is not finite, ≤ 0 or beyond 16 bits."""
    steps = np.divide(values, scale, out=np.zeros(values.shape), where=np.isfinite(values) & (values > 0))
    return np.where(np.rint(steps) <= _LONGEST, np.rint(steps), 0).astype(np.uint16)


def encode_depth(metres: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Depth in metres as millimetres; 0, invalid, for what is not finite, ≤ 0 or beyond 65.535 m."""
    return encode_scaled(metres.astype(np.float64) * 1000, 1)


def encode_normals(unit: NDArray[np.floating]) -> NDArray[np.int8]:
    """Unit vectors (or 0, 0, 0 for none) `[…, 3]` as 127ths."""
    return np.rint(unit * 127).astype(np.int8)

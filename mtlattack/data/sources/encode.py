"""From physical values to the numbers that a prepared file stores."""

import numpy as np
from numpy.typing import NDArray

from mtlattack.data.account import Drop, unseen

_LONGEST = np.iinfo(np.uint16).max


def encode_scaled(values: NDArray[np.floating], scale: float, drop: Drop = unseen) -> NDArray[np.uint16]:
    """Positive values as uint16 multiples of `scale`; 0, invalid, for what is not finite, ≤ 0 or beyond 16 bits.

    `drop` is told what of this was no 0 and no NaN before.
    """
    steps = np.rint(np.divide(values, scale, out=np.zeros(values.shape), where=np.isfinite(values) & (values > 0)))
    drop(f"beyond {_LONGEST} steps of the file", (steps > _LONGEST) | np.isposinf(values))
    drop("below half a step of the file", (steps == 0) & (values > 0))
    drop("below 0", values < 0)
    return np.where(steps <= _LONGEST, steps, 0).astype(np.uint16)


def encode_depth(metres: NDArray[np.floating], drop: Drop = unseen) -> NDArray[np.uint16]:
    """Depth in metres as millimetres; 0, invalid, for what is not finite, ≤ 0 or beyond 65.535 m; `drop` as above."""
    return encode_scaled(metres.astype(np.float64) * 1000, 1, drop)


def encode_normals(unit: NDArray[np.floating]) -> NDArray[np.int8]:
    """Unit vectors (or 0, 0, 0 for none) `[…, 3]` as 127ths."""
    return np.rint(unit * 127).astype(np.int8)

"""What pictures of labels are made of: colours, and what explains them. matplotlib is imported when one is painted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

INVALID = (0.85, 0.85, 0.85)
"""Light grey, where there is no label."""


@dataclass(frozen=True)
class Painting:
    """Pictures RGB `[N, H, W, 3]` in [0, 1] whose colours mean the same in all of them, and what explains these."""

    pictures: Array
    legend: tuple[tuple[str, tuple[float, ...]], ...] = ()
    scale: tuple[str, float, float] | None = None
    """Colour map, and the values at its ends."""
    unit: str = ""


def paint_scale(
    labels: NDArray[np.floating], valid: NDArray[np.bool_], colours: str, unit: str = "", start: float | None = None
) -> Painting:
    """Values by colour, from `start` or the 1st percentile to the 99th, so that single pixels do not take the range.

    `labels` and `valid` are `[N, H, W]`, `colours` is a colour map of matplotlib.
    """
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    values = labels[valid].astype(np.float64)
    low, high = np.percentile(values, (1, 99)) if values.size else (0.0, 1.0)
    low = float(low if start is None else start)
    high = float(max(high, low + 1e-3))
    pictures = colormaps[colours](Normalize(low, high, clip=True)(np.where(valid, labels, low)))[..., :3]
    return Painting(masked(pictures, valid), scale=(colours, low, high), unit=unit)


def masked(pictures: Array, valid: NDArray[np.bool_]) -> Array:
    """Pictures `[N, H, W, 3]` with light grey where `valid` `[N, H, W]` is not."""
    return np.where(valid[..., None], pictures, INVALID)


def class_colours(count: int) -> Array:
    """Colours `[count, 3]` in [0, 1] for class numbers; the first 20 are told apart at a glance, any number works."""
    from matplotlib import colormaps

    pairs, more, most = (
        colormaps[name](np.arange(n))[:, :3] for name, n in (("tab20", 20), ("tab20b", 20), ("Dark2", 7))
    )
    # The dark one of each pair first: few classes get strong colours. Light greys would read as "no label".
    palette = np.concatenate([pairs[::2], pairs[1::2], more, most])
    palette = palette[(np.ptp(palette, axis=1) > 0.02) | (palette.max(1) < 0.6)]
    return np.resize(palette, (count, 3)).astype(np.float64)

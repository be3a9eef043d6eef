"""What can be said of a task's statistics without its images: numbers that exclude each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
# Relative, for sums over an image in float32.
SUM = 1e-4
# Relative, for two numbers that are made of the same sum.
ROUNDING = 1e-5


@dataclass(frozen=True)
class Contradiction:
    """Numbers that exclude each other: on which images, `[N]`, what they say, and whether no run can leave them."""

    images: Mask
    says: str
    severity: Literal["refused", "flagged"] = "refused"


def somewhere(where: Any) -> Mask:
    """In which rows of `[N, K]` something is true, `[N]`."""
    rows: Mask = np.any(where, axis=1)
    return rows


def miscounted(pixels: Array, **counts: Array) -> Iterator[Contradiction]:
    """Numbers of pixels `[N]` or `[N, K]` that are no whole numbers from 0 to all valid `pixels` `[N]`."""
    for name, values in counts.items():
        columns = values.reshape(len(values), -1)
        wrong = (columns < 0) | (columns != np.floor(columns)) | (columns > pixels[:, None])
        yield Contradiction(somewhere(wrong), f"{name} is no whole number of pixels from 0 to the valid ones")


def falling(**counts: Array) -> Iterator[Contradiction]:
    """Counts `[N]`, each of which includes the one before it, that fall."""
    named = list(counts.items())
    for (less, fewer), (more, values) in zip(named, named[1:], strict=False):
        yield Contradiction(fewer > values, f"{less} is more than {more}, which includes it")

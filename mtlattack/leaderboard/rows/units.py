"""Units: rows hold SI units and shares, people read per cent and degrees."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.record import Interval

SiUnit = Literal["1", "m", "1/m", "rad"]


@dataclass(frozen=True)
class Unit:
    """A task's unit in a row: `value · factor` in `si`; `shown` is what people read."""

    si: SiUnit
    factor: float
    shown: str


UNITS: Mapping[str, Unit] = {
    "%": Unit("1", 0.01, "%"),
    "°": Unit("rad", pi / 180, "°"),
    "m": Unit("m", 1.0, "m"),
    "1/m": Unit("1/m", 1.0, "1/m"),
    "": Unit("1", 1.0, ""),
}


def to_si(values: NDArray[np.float64], unit: str) -> NDArray[np.float64]:
    """Values in a task's unit as a row holds them."""
    return values * UNITS[unit].factor


def shown_interval(interval: Interval, unit: str) -> Interval:
    """A row's interval in the task's own unit."""
    value, low, high = (None if x is None else shown(x, unit) for x in (interval.value, interval.low, interval.high))
    return Interval(value=value, low=low, high=high)


def shown(value: float, unit: str) -> float:
    """A row's value in the task's own unit."""
    return value / UNITS[unit].factor

"""Counter-based randomness that is the same on every machine: splitmix64 on 64-bit integers, no numpy Generator."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_M1 = 0xBF58476D1CE4E5B9
_M2 = 0x94D049BB133111EB
_UNIT = 1.0 / (1 << 53)


def mix(z: int) -> int:
    """splitmix64's finaliser: a bijection of [0, 2**64)."""
    z = ((z ^ (z >> 30)) * _M1) & _MASK
    z = ((z ^ (z >> 27)) * _M2) & _MASK
    return z ^ (z >> 31)


def seed_of(*parts: object) -> int:
    """A 64-bit seed from the text of `parts`; stable over machines, Python versions and processes."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


class Stream:
    """A splitmix64 stream of scalars."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next(self) -> int:
        """The next integer in [0, 2**64)."""
        self._state = (self._state + _GAMMA) & _MASK
        return mix(self._state)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A float64 in [low, high)."""
        return low + (high - low) * ((self.next() >> 11) * _UNIT)

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high], both ends included."""
        return low + (((self.next() >> 32) * (high - low + 1)) >> 32)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability

    def choice(self, items: Sequence[T]) -> T:
        """One of `items`, all equally likely."""
        return items[self.integer(0, len(items) - 1)]

    def weighted(self, table: Sequence[tuple[T, float]]) -> T:
        """One of the values of (value, weight) pairs whose weights sum to 1."""
        pick = self.uniform()
        for value, weight in table:
            pick -= weight
            if pick < 0.0:
                return value
        return table[-1][0]

    def turn(self, limit: float) -> tuple[float, float]:
        """(cos, sin) of a random angle with |tan(angle / 2)| <= limit; rational, so that no libm is involved."""
        t = self.uniform(-limit, limit)
        return (1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t)


def _mix_array(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_M1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_M2)
    return z ^ (z >> np.uint64(31))


def stream_array(seed: int, count: int) -> np.ndarray:
    """The first `count` values of `Stream(seed)` as uint64 [count]."""
    counter = np.arange(1, count + 1, dtype=np.uint64)
    return _mix_array(counter * np.uint64(_GAMMA) + np.uint64(seed & _MASK))


def hash_grid(seed: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """float64 in [0, 1), one for each pair of integer cell coordinates (int64 arrays of one shape); 24 bits each."""
    z = a.astype(np.uint64) * np.uint64(_GAMMA) + b.astype(np.uint64) * np.uint64(_M2) + np.uint64(seed & _MASK)
    z = (z ^ (z >> np.uint64(31))) * np.uint64(_M1)
    return (z >> np.uint64(40)).astype(np.float64) * (1.0 / (1 << 24))

"""Noise that belongs to an image, not to its batch."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mtlattack.lazily import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Noise:
    """Random numbers for images named `ids`, each from its own generator seeded by (seed, id, restart).

    Drawn on the CPU, so they depend neither on batch size, order, workers nor device. Ids count as text: 7 is "7".
    """

    seed: int
    ids: Sequence[str | int]
    purpose: str = ""

    def apart(self, purpose: str) -> Noise:
        """Other numbers for the same images, for what must not move with where a run starts."""
        return replace(self, purpose=purpose)

    def uniform(self, shape: Sequence[int], restart: int) -> Tensor:
        """Uniform in [−1, 1), `[B, *shape]`, on the CPU."""
        return torch.stack([2 * torch.rand(*shape, generator=g) - 1 for g in self._generators(restart)])

    def in_ball(self, shape: Sequence[int], restart: int) -> Tensor:
        """Uniform in the unit l2 ball, `[B, *shape]`, on the CPU: a normal direction, radius u^(1/n)."""
        return torch.stack([_point_in_ball(shape, generator) for generator in self._generators(restart)])

    def in_l1_ball(self, shape: Sequence[int], restart: int) -> Tensor:
        """Uniform in the unit l1 ball, `[B, *shape]`, on the CPU: signed exponentials over their sum and one more."""
        return torch.stack([_point_in_l1_ball(shape, generator) for generator in self._generators(restart)])

    def _generators(self, restart: int) -> list[torch.Generator]:
        run = f"{restart}{self.purpose}"
        return [torch.Generator().manual_seed(_seed(self.seed, str(name), run)) for name in self.ids]


def _seed(seed: int, name: str, run: str) -> int:
    """63 bits that are the same on every machine, unlike Python's `hash`."""
    digest = hashlib.sha256(f"{seed}\0{run}\0{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _point_in_ball(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    direction = torch.randn(*shape, generator=generator, dtype=torch.float64)
    radius = torch.rand((), generator=generator, dtype=torch.float64) ** (1 / direction.numel())
    point: Tensor = radius * direction / torch.linalg.vector_norm(direction)
    return point.float()


def _point_in_l1_ball(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    sizes = torch.empty(math.prod(shape) + 1, dtype=torch.float64).exponential_(generator=generator)
    signs = 2 * torch.randint(2, tuple(shape), generator=generator) - 1
    return (signs * sizes[:-1].view(*shape) / sizes.sum()).float()

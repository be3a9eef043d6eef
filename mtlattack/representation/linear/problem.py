"""Linear tasks that share a representation, drawn seed by seed, and their examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.representation.linear.losses import LinearLoss, Margin, MulticlassMargin, Squared
from mtlattack.wording import counted

Kind = Literal["regression", "mixture", "classes"]
# Of `classes`: two rivals of each are as many as have a closed risk.
CLASSES = 3


@dataclass(frozen=True)
class Problem:
    """t source tasks and a target whose weights w = Bᵀa come from one k × d matrix B with orthonormal rows.

    `regression`: x ~ N(0, I), y = wᵀx + σz. `mixture`: y = ±1 alike often, x ~ N(yw, I). `classes`: a w for each of
    three classes alike often, x ~ N(w_y, I). Source heads a are normal with standard deviation `weakest` along the last
    of the k directions and 1 along the others, times `scale`; the target's are normal with `scale` along all of them.
    """

    kind: Kind = "regression"
    dimension: int = 40
    rank: int = 3
    sources: int = 16
    noise: float = 0.3
    weakest: float = 1.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.rank < 1 or self.rank > self.dimension:
            raise InputError(f"rank {self.rank}, expected 1 to the dimension of the inputs, {self.dimension}")
        if self.sources < 1:
            raise InputError(
                f"{counted(self.sources, 'source task')}, expected at least 1: a representation comes from them"
            )
        for name, value in (("noise", self.noise), ("weakest", self.weakest)):
            if not 0 <= value < float("inf"):
                raise InputError(f"{name} {value:g}, expected a finite number of at least 0")

    @property
    def loss(self) -> LinearLoss:
        """The loss that is learned with unless another one is named."""
        return {"regression": Squared(), "mixture": Margin(), "classes": MulticlassMargin(CLASSES)}[self.kind]

    @property
    def head_shape(self) -> tuple[int, ...]:
        """`(k,)`, of three classes `(3, k)`."""
        return (CLASSES, self.rank) if self.kind == "classes" else (self.rank,)


@dataclass(frozen=True)
class Tasks:
    """The truth for S seeds: `basis` `[S, k, d]`, `source_heads` `[S, t, k]`, `target_head` `[S, k]`.

    Of three classes heads have `[3, k]` in the place of `[k]`, and weights `[3, d]` in that of `[d]`.
    """

    problem: Problem
    seeds: tuple[int, ...]
    basis: Tensor
    source_heads: Tensor
    target_head: Tensor

    @property
    def sources(self) -> Tensor:
        """Weights, or means, of the source tasks, `[S, t, d]`."""
        return self._weights(self.source_heads)

    @property
    def target(self) -> Tensor:
        """Weights, or mean, of the target task, `[S, 1, d]`."""
        return self._weights(self.target_head[:, None])

    def _weights(self, heads: Tensor) -> Tensor:
        return heads @ (self.basis[:, None] if self.problem.kind == "classes" else self.basis)


@dataclass(frozen=True)
class Examples:
    """Inputs `[S, t, n, d]` and labels `[S, t, n]` of t tasks."""

    inputs: Tensor
    labels: Tensor


def draw_tasks(problem: Problem, seeds: Sequence[int]) -> Tasks:
    """The truth of each seed, the same whatever other seeds are asked for; the first of many sources are the few's."""
    if not seeds:
        raise InputError("no seeds, expected at least 1")
    basis, sources, target = [], [], []
    for seed in seeds:
        draw = np.random.default_rng([seed, 0])
        rows, _ = np.linalg.qr(draw.standard_normal((problem.dimension, problem.rank)))
        basis.append(rows.T)
        target.append(draw.standard_normal(problem.head_shape) * problem.scale)
        shape = (problem.sources, *problem.head_shape)
        heads = np.random.default_rng([seed, 1]).standard_normal(shape) * problem.scale
        heads[..., -1] *= problem.weakest
        sources.append(heads)
    return Tasks(problem, tuple(seeds), *(torch.from_numpy(np.stack(part)) for part in (basis, sources, target)))


def draw_sources(tasks: Tasks, count: int) -> Examples:
    """`count` examples of every source task."""
    return _draw(tasks, tasks.sources, count, first=1)


def draw_target(tasks: Tasks, count: int) -> Examples:
    """`count` examples of the target task, `[S, 1, m, d]`: of two draws the smaller is the beginning of the larger."""
    return _draw(tasks, tasks.target, count, first=0)


def _draw(tasks: Tasks, weights: Tensor, count: int, first: int) -> Examples:
    if count < 1:
        raise InputError(f"{counted(count, 'example')}, expected at least 1")
    size = tasks.problem.dimension
    normal = np.stack(
        [
            np.stack(
                [
                    np.random.default_rng([seed, 2, first + index]).standard_normal((count, size + 1))
                    for index in range(weights.shape[1])
                ]
            )
            for seed in tasks.seeds
        ]
    )
    inputs, chance = torch.from_numpy(normal[..., :size]), torch.from_numpy(normal[..., size])
    if tasks.problem.kind == "regression":
        labels = (inputs @ weights[..., None])[..., 0] + tasks.problem.noise * chance
    elif tasks.problem.kind == "classes":
        labels = (CLASSES * torch.special.ndtr(chance)).long().clamp_max(CLASSES - 1)
        inputs = inputs + weights.gather(-2, labels[..., None].expand(*labels.shape, size))
    else:
        labels = torch.where(chance > 0, 1.0, -1.0).to(inputs.dtype)
        inputs = inputs + labels[..., None] * weights[:, :, None]
    return Examples(inputs, labels)

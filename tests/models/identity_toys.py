"""A transform of every kind, written out in one file so that another process can make them too."""

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtlattack.models.identity import identity

SCALE = 2.0


def scaled(x: Tensor, factor: float = 3.0) -> Tensor:
    return factor * SCALE * x


def around(inner: Callable[[Tensor], Tensor], offset: object) -> Callable[[Tensor], Tensor]:
    def outer(x: Tensor) -> Tensor:
        return inner(x) + offset  # type: ignore[operator]

    return outer


@dataclass
class Power:
    exponent: float
    names: frozenset[str] = frozenset(("one", "two", "three", "four"))

    def __call__(self, x: Tensor) -> Tensor:
        return x**self.exponent

    def inverse(self, x: Tensor) -> Tensor:
        return x ** (1 / self.exponent)


class Cubed(Power):
    def __call__(self, x: Tensor) -> Tensor:
        return x * x * x


def layer(bias: float, **options: Any) -> nn.Module:
    made = nn.Conv2d(1, 1, 1, **options)
    nn.init.ones_(made.weight)
    nn.init.constant_(made.bias, bias)  # type: ignore[arg-type]
    return made


# Every two of them compute something else.
DIFFERENT: list[Callable[..., Any]] = [
    lambda x: x,
    lambda x: x + 1,
    lambda x: x + 2,
    lambda x: x + 1.0,
    lambda x: x.exp(),
    lambda x: x.log(),
    lambda x: x.exp() if x.dtype in {torch.float16, torch.float32} else x.log(),
    lambda x: x if "one" in {"one", "two", "three", "four", "five"} else -x,
    lambda x: (lambda y: y + 3)(x),
    lambda x: (lambda y: y + 4)(x),
    scaled,
    functools.partial(scaled, factor=1.0),
    functools.partial(scaled, factor=2.0),
    around(scaled, 1),
    around(scaled, 2),
    around(torch.exp, 1),
    around(torch.exp, torch.tensor([1.0])),
    around(torch.exp, torch.tensor([2.0])),
    around(torch.exp, torch.tensor(2, dtype=torch.bfloat16)),
    around(torch.exp, {"b": 1, "a": {"x", "y", "z"}}),
    around(torch.exp, slice(1, 2)),
    around(torch.exp, slice(1, 3)),
    Power(2.0),
    Power(3.0),
    Cubed(3.0),
    Power(2.0).inverse,
    Power(3.0).inverse,
    layer(0.0),
    layer(1.0),
    layer(1.0, stride=2),
    torch.exp,
    torch.log,
    Tensor.exp,
    F.relu,
    F.interpolate,
    operator.itemgetter(0),
    operator.itemgetter(1),
    operator.attrgetter("real"),
    torch.ones(3).mul,
    torch.zeros(3).mul,
]


if __name__ == "__main__":
    print(*map(identity, DIFFERENT), sep="\n")

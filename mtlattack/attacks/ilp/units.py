"""The few pixels or values of a step that are set anew, and what it lacks."""

from dataclasses import dataclass

import torch
from torch import Tensor

# A protected task is pushed this far below what is allowed, in mean gain, and weighs so much more than a shortfall.
_MARGIN, _WEIGHT = 1e-5, 10.0


@dataclass(frozen=True)
class Units:
    """Q pixels (without budgets: values) at `places` `[B, Q]`, that are on, off, or on with one value flipped.

    `patterns` `[B, Q, N, C]` are these N = C + 2 states, `state` `[B, Q]` the present one, `worth` `[B, Q, N, M]` what
    they gain each row and `value` `[B, Q, N]` the mixture.
    """

    places: Tensor
    patterns: Tensor
    state: Tensor
    worth: Tensor
    value: Tensor

    @classmethod
    def cheapest(cls, values: Tensor, mixture: Tensor, present: Tensor, cost: Tensor, count: int) -> "Units":
        """So many whose change costs least, `cost` `[B, P]`, over what it can move; from rows `[B, M, C, P]`, their
        mixture `[B, C, P]` and whether each is on, `[B, P]`."""
        strength = values.abs().sum((1, 2))
        key = torch.where(strength > 0, cost / strength, torch.inf)
        places = key.argsort(dim=1, stable=True)[:, :count]
        # The mixture is one more row, `[B, Q, C, M + 1]`.
        own = torch.cat([values, mixture[:, None]], 1)
        own = own.gather(3, places[:, None, None].expand(-1, *own.shape[1:3], -1)).permute(0, 3, 2, 1)
        signs = torch.where(own[..., -1] < 0, -1.0, 1.0).to(values)
        flips = 1 - 2 * torch.eye(signs.shape[2], device=values.device, dtype=values.dtype)
        factors = torch.cat([torch.ones_like(flips[:1]), torch.zeros_like(flips[:1]), flips])
        patterns = signs[:, :, None] * factors
        worth = torch.zeros_like(patterns[..., :1] + own[:, :, None, 0])
        for c in range(signs.shape[2]):  # One after the other: no image can feel its batch.
            worth = worth + patterns[..., c, None] * own[:, :, None, c]
        return cls(places, patterns, (~present).long().gather(1, places), worth[..., :-1], worth[..., -1])

    def written(self, flat: Tensor, state: Tensor) -> Tensor:
        """A step `[B, C, P]` with the units in a state `[B, Q]`."""
        pattern = at(self.patterns, state)
        return flat.scatter(2, self.places[:, None].expand(-1, flat.shape[1], -1), pattern.transpose(1, 2))

    def change(self, state: Tensor) -> Tensor:
        """What each option, a unit in one of the states, gains each row beside this state, `[B, QN, M]`."""
        return (self.worth - at(self.worth, state)[:, :, None]).flatten(1, 2)


def at(table: Tensor, state: Tensor) -> Tensor:
    """From `[B, Q, N, …]` what stands at a state `[B, Q]`."""
    index = state.view(*state.shape, *[1] * (table.ndim - 2)).expand(-1, -1, 1, *table.shape[3:])
    return table.gather(2, index)[:, :, 0]


class Shortfall:
    """How much rows lack: those of the objective up to the bound, protected ones up to what is allowed and a margin."""

    def __init__(self, bound: Tensor, gains: Tensor, objectives: int) -> None:
        spared = torch.full_like(gains[:, objectives:], _MARGIN)
        self._objectives = objectives
        self._goal = torch.cat([bound[:, None].expand(-1, objectives), spared], 1)
        self.weights = [1.0] * objectives + [_WEIGHT] * spared.shape[1]

    def of(self, gains: Tensor) -> Tensor:
        """What rows lack that gain so much, `[B, M]`; how much each counts is in `weights`."""
        return self._goal - gains

    def worst(self, gains: Tensor) -> Tensor:
        """The least gain of the objective `[B]`, −inf where a protected task gains."""
        spared = (gains[:, self._objectives :] >= 0).all(1)
        return torch.where(spared, gains[:, : self._objectives].amin(1), -torch.inf)

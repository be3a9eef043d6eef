"""Pixels under budgets are set anew by moves that take no more of a budget than they give back, up to four at once."""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import torch
from torch import Tensor
from torch.nn.functional import pad

from mtlattack.attacks.ilp.units import Shortfall, Units, at

# The cheapest moves, of which up to four are made in a round.
_MOVES, _ROUNDS = 40, 3
# No more: a move has a bit for each in 64.
MOST_UNITS = 60


def move(units: Units, regions: Tensor, gains: Tensor, lacks: Shortfall) -> Tensor:
    """The best state `[B, Q]` on a way from `units.state`, where rows gain `gains` `[B, M]`; `regions` `[B, Q]` are
    those of the units.

    In every round those of the moves that cost the mixture least are made, up to four, after which the row that lacks
    most of the bound lacks least.
    """
    state = best = units.state
    most = lacks.worst(gains)
    for _ in range(_ROUNDS):
        moves = _Moves.cheapest(units, regions, state)
        sets, halves = _sets(moves.touched.shape[1] - 1, gains.device)
        one, other = moves.touched[:, :, None], moves.touched[:, None]
        # Two that have a unit in common clash with all.
        touched = torch.where((one & other).bool(), -1, one | other).flatten(1)
        lack = _after(lacks, gains, (moves.change[:, :, None] + moves.change[:, None]).flatten(1, 2), halves)
        clash = (touched[:, halves[:, 0]] & touched[:, halves[:, 1]]).bool()
        pick = sets[lack.masked_fill_(clash, torch.inf).argmin(1)]
        for made in pick.unbind(1):
            gains = gains + moves.change.gather(1, made[:, None, None].expand(-1, 1, gains.shape[1]))[:, 0]
            state = moves.made(state, made)
        worst = lacks.worst(gains)
        best = torch.where((worst > most)[:, None], state, best)
        most = torch.maximum(worst, most)
    return best


@dataclass(frozen=True)
class _Moves:
    """A unit is set anew, or of two in a region one is switched on and the other off; the last one of all does nothing.

    `units` and `states` `[B, L + 1, 2]` are which two (or twice the same) get which states, `change` `[B, L + 1, M]` is
    what rows gain (−inf where there are not so many), `touched` `[B, L + 1]` has a bit for each unit.
    """

    units: Tensor
    states: Tensor
    change: Tensor
    touched: Tensor

    @classmethod
    def cheapest(cls, units: Units, regions: Tensor, state: Tensor) -> "_Moves":
        """Those from a state `[B, Q]` that cost the mixture least."""
        number = units.value.shape[2]
        change = units.change(state)
        price = (at(units.value, state)[:, :, None] - units.value).flatten(1)
        uses = units.patterns.any(3).long()
        grows = (uses - at(uses, state)[:, :, None]).flatten(1)
        stays = (torch.arange(number, device=state.device) == state[:, :, None]).flatten(1)
        region = regions.repeat_interleave(number, 1)
        swaps = (region[:, :, None] == region[:, None]) & (grows[:, :, None] == 1) & (grows[:, None] == -1)
        cost = torch.where(swaps, price[:, :, None] + price[:, None], torch.inf)
        cost.diagonal(dim1=1, dim2=2).copy_(torch.where(stays | (grows > 0), torch.inf, price))
        least, pick = (found[:, :_MOVES] for found in cost.flatten(1).sort(dim=1, stable=True))
        options = torch.stack([pick // price.shape[1], pick % price.shape[1]], 2)
        first, second = (
            change.gather(1, each[..., None].expand(-1, -1, change.shape[2])) for each in options.unbind(2)
        )
        both = first + torch.where((options[..., 0] == options[..., 1])[..., None], 0, second)
        both = torch.where(least.isinf()[..., None], -torch.inf, both)
        bits = 1 << (options // number)
        none = (0, 0, 0, 1)
        touched = pad(bits[..., 0] | bits[..., 1], (0, 1))
        return cls(pad(options // number, none), pad(options % number, none), pad(both, none), touched)

    def made(self, state: Tensor, move: Tensor) -> Tensor:
        """The state after the move `[B]` of every image."""
        real = (move < self.units.shape[1] - 1)[:, None]
        for i in (0, 1):
            unit, new = (table[..., i].gather(1, move[:, None]) for table in (self.units, self.states))
            state = state.scatter(1, unit, torch.where(real, new, state.gather(1, unit)))
        return state


@cache
def _sets(moves: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Up to four of so many moves, `[K, 4]`, filled up with the one after them, that does nothing; the first is none at
    all. And the same by twos, `[K, 2]`: move i with move j is i·(moves + 1) + j."""
    some = [combo + (moves,) * (4 - len(combo)) for n in range(5) for combo in combinations(range(moves), n)]
    with torch.inference_mode(False):
        sets = torch.tensor(some, device=device)
        # A filler stands with a move where it can: two halves without one would have nothing to clash by.
        return sets, torch.stack([sets[:, i] * (moves + 1) + sets[:, i + 2] for i in (0, 1)], 1)


def _after(lacks: Shortfall, gains: Tensor, change: Tensor, halves: Tensor) -> Tensor:
    """The most that a row lacks, `[B, K]`, after the changes `[B, P, M]` that the halves of each set name."""
    most = torch.zeros_like(gains[:, :1])
    lacking = lacks.of(gains)
    for row, weight in enumerate(lacks.weights):
        gained = weight * change[:, :, row]
        lack = weight * lacking[:, row, None] - gained
        most = torch.maximum(most, lack[:, halves[:, 0]].sub_(gained[:, halves[:, 1]]))
    return most

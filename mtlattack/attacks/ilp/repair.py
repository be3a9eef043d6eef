"""From a rounded step to a better one: exchanges among the few pixels or values that the mixture hardly cares about."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mtlattack.attacks.ilp.relaxation import Relaxation
from mtlattack.attacks.ilp.rows import Rows

# Units that are free, and exchanges of two of them.
_VALUES, _PIXELS, _EXCHANGES = 32, 32, 10
# A protected task is pushed this far below what is allowed, in mean gain, and weighs so much more than a shortfall.
_MARGIN, _WEIGHT = 1e-5, 10.0
# Gains are multiples of this: the last bits of a sum, which may differ with the batch, decide nothing.
_GRAIN = 2.0**-44


@dataclass(frozen=True)
class _Units:
    """Q pixels (without budgets: values) at `places` `[B, Q]`, that are on, off, or on with one value flipped.

    `patterns` `[B, Q, N, C]` are these N = C + 2 states, `state` `[B, Q]` the present one, `worth` `[B, Q, N, M]` what
    they gain each row, `uses` `[B, Q, N]` how many changed pixels they are.
    """

    places: Tensor
    patterns: Tensor
    state: Tensor
    worth: Tensor
    uses: Tensor


def repair(relaxation: Relaxation) -> Tensor:
    """A step `[B, C, R, S]` in {−1, 0, 1} from the rounded one.

    A fixed number of times that exchange of two units which leaves the least shortfall, the sum of squares of what
    every row lacks of the bound; in the end the best of all steps on the way.
    """
    rows, step = relaxation.rows, relaxation.step
    if rows.budgets is None:
        # Every value is a pixel of its own.
        values, mixture, flat = (x.flatten(-3).unsqueeze(-2) for x in (rows.values, relaxation.mixture, step))
        present, cost, count = mixture[:, 0] != 0, mixture[:, 0].abs(), _VALUES
    else:
        values, mixture, flat = (x.flatten(-2) for x in (rows.values, relaxation.mixture, step))
        present, cost, count = relaxation.chosen.flatten(1), relaxation.indifference.flatten(1), _PIXELS
    units = _choose(values, mixture, present, cost, count, rows.count)
    flat = _written(flat, units, units.state)
    gains = (rows.gains(flat.reshape(step.shape)) / _GRAIN).round() * _GRAIN
    lacks = _Shortfall(relaxation.bound, gains, rows.objectives)
    state = _exchange(units, gains, lacks, _Room.of(units, flat, rows))
    return _written(flat, units, state).reshape(step.shape)


def _choose(values: Tensor, mixture: Tensor, present: Tensor, cost: Tensor, count: int, total: int) -> _Units:
    """The units whose change costs least, over what it can move."""
    strength = values.abs().sum((1, 2))
    key = torch.where(strength > 0, cost / strength, torch.inf)
    places = key.argsort(dim=1, stable=True)[:, :count]
    own = values.gather(3, places[:, None, None].expand(-1, *values.shape[1:3], -1))
    signs = torch.where(mixture < 0, -1.0, 1.0).to(values).gather(2, places[:, None].expand(-1, mixture.shape[1], -1))
    signs = signs.transpose(1, 2)
    channels = signs.shape[2]
    flips = 1 - 2 * torch.eye(channels, device=values.device, dtype=values.dtype)
    factors = torch.cat([torch.ones_like(flips[:1]), torch.zeros_like(flips[:1]), flips])
    patterns = signs[:, :, None] * factors
    worth = torch.zeros_like(patterns[..., :1] + own[:, :, 0].transpose(1, 2)[:, :, None])
    for c in range(channels):
        worth = worth + patterns[..., c, None] * own[:, :, c].transpose(1, 2)[:, :, None]
    return _Units(places, patterns, (~present).long().gather(1, places), worth / total, patterns.any(3).long())


def _written(flat: Tensor, units: _Units, state: Tensor) -> Tensor:
    """A step `[B, C, P]` with the units in a state."""
    pattern = _at(units.patterns, state)
    return flat.scatter(2, units.places[:, None].expand(-1, flat.shape[1], -1), pattern.transpose(1, 2))


def _at(table: Tensor, state: Tensor) -> Tensor:
    """From `[B, Q, N, …]` what stands at a state `[B, Q]`."""
    index = state.view(*state.shape, *[1] * (table.ndim - 2)).expand(-1, -1, 1, *table.shape[3:])
    return table.gather(2, index)[:, :, 0]


class _Shortfall:
    """How much rows lack: those of the objective up to the bound, protected ones up to what is allowed and a margin."""

    def __init__(self, bound: Tensor, gains: Tensor, objectives: int) -> None:
        spared = torch.full_like(gains[:, objectives:], _MARGIN)
        self._objectives = objectives
        self._goal = torch.cat([bound[:, None].expand(-1, objectives), spared], 1)
        self._weights = [1.0] * objectives + [_WEIGHT] * spared.shape[1]

    def after(self, gains: Tensor, change: Tensor) -> Tensor:
        """With gains `[B, M]` after two of the changes `[B, K, M]`, `[B, K, K]`."""
        total = torch.zeros_like(change[:, :, :1] + change[:, None, :, 0])
        for row, weight in enumerate(self._weights):
            lack = (self._goal - gains)[:, row, None] - change[:, :, row]
            total += weight * (lack[:, :, None] - change[:, None, :, row]).clamp_min_(0).square_()
        return total

    def worst(self, gains: Tensor) -> Tensor:
        """The least gain of the objective `[B]`, −inf where a protected task gains."""
        spared = (gains[:, self._objectives :] >= 0).all(1)
        return torch.where(spared, gains[:, : self._objectives].amin(1), -torch.inf)


@dataclass(frozen=True)
class _Room:
    """The units' `regions` `[B, Q]`, and how many more pixels of each may change, `free` `[B, R]`; None: any number."""

    regions: Tensor
    free: Tensor | None

    @classmethod
    def of(cls, units: _Units, step: Tensor, rows: Rows) -> "_Room":
        if rows.budgets is None:
            return cls(torch.zeros_like(units.places), None)
        used = step.any(1).unflatten(1, (len(rows.budgets), -1)).sum(2)
        return cls(units.places // rows.values.shape[4], torch.tensor(rows.budgets, device=used.device) - used)

    def fits(self, grows: Tensor) -> Tensor:
        """Whether two changes, growing by so many pixels `[B, Q, N]`, go together: `[B, QN, QN]`."""
        if self.free is None:
            return grows.new_ones(1, 1, 1, dtype=torch.bool)
        where = self.regions.repeat_interleave(grows.shape[2], 1)
        room, grows = self.free.gather(1, where), grows.flatten(1)
        alone = grows <= room
        together = grows[:, :, None] + grows[:, None] <= room[:, :, None]
        return torch.where(where[:, :, None] == where[:, None], together, alone[:, :, None] & alone[:, None])

    def after(self, unit: Tensor, grows: Tensor) -> "_Room":
        """With a unit `[B]` of every image grown by so many pixels `[B]`."""
        if self.free is None:
            return self
        where = self.regions.gather(1, unit[:, None])
        return _Room(self.regions, self.free.scatter_add(1, where, -grows[:, None]))


def _exchange(units: _Units, gains: Tensor, lacks: _Shortfall, room: _Room) -> Tensor:
    """The best state `[B, Q]` on the way."""
    batch, number, options = units.uses.shape
    state = best = units.state
    unit = torch.arange(number, device=gains.device).repeat_interleave(options)
    apart = unit[:, None] < unit
    every = torch.arange(batch, device=gains.device)
    most = lacks.worst(gains)
    for _ in range(_EXCHANGES):
        change = (units.worth - _at(units.worth, state)[:, :, None]).flatten(1, 2)
        grows = units.uses - _at(units.uses, state)[:, :, None]
        lack = torch.where(apart & room.fits(grows), lacks.after(gains, change), torch.inf)
        pick = lack.flatten(1).argmin(1)
        for move in (pick // len(unit), pick % len(unit)):
            gains = gains + change[every, move]
            room = room.after(move // options, grows.flatten(1)[every, move])
            state = state.scatter(1, (move // options)[:, None], (move % options)[:, None])
        worst = lacks.worst(gains)
        best = torch.where((worst > most)[:, None], state, best)
        most = torch.maximum(worst, most)
    return best

"""Values are set anew by twos: any two go together where there are no budgets."""

import torch
from torch import Tensor

from mtlattack.attacks.ilp.units import Shortfall, Units

_EXCHANGES = 10


def exchange(units: Units, gains: Tensor, lacks: Shortfall) -> Tensor:
    """The best state `[B, Q]` on a way from `units.state`, where rows gain `gains` `[B, M]`.

    A fixed number of times that change of two units is made which leaves the least sum of squares of what rows lack.
    """
    batch, number, options = units.value.shape
    state = best = units.state
    unit = torch.arange(number, device=gains.device).repeat_interleave(options)
    apart = unit[:, None] < unit
    every = torch.arange(batch, device=gains.device)
    most = lacks.worst(gains)
    for _ in range(_EXCHANGES):
        change = units.change(state)
        lack = torch.where(apart, _after(lacks, gains, change), torch.inf)
        pick = lack.flatten(1).argmin(1)
        for move in (pick // len(unit), pick % len(unit)):
            gains = gains + change[every, move]
            state = state.scatter(1, (move // options)[:, None], (move % options)[:, None])
        worst = lacks.worst(gains)
        best = torch.where((worst > most)[:, None], state, best)
        most = torch.maximum(worst, most)
    return best


def _after(lacks: Shortfall, gains: Tensor, change: Tensor) -> Tensor:
    """The sum of squares after two of the changes `[B, K, M]`, `[B, K, K]`."""
    total = torch.zeros_like(change[:, :, :1] + change[:, None, :, 0])
    lacking = lacks.of(gains)
    for row, weight in enumerate(lacks.weights):
        lack = lacking[:, row, None] - change[:, :, row]
        total += weight * (lack[:, :, None] - change[:, None, :, row]).clamp_min_(0).square_()
    return total

"""From a rounded step to a better one: the few pixels or values that the mixture hardly cares about are set anew."""

from torch import Tensor

from mtlattack.attacks.ilp.exchange import exchange
from mtlattack.attacks.ilp.moves import MOST_UNITS, move
from mtlattack.attacks.ilp.relaxation import Relaxation
from mtlattack.attacks.ilp.units import Shortfall, Units

# Values that are free.
_VALUES = 32
# Gains are multiples of this: the last bits of a sum, which may differ with the batch, decide nothing.
_GRAIN = 2.0**-44


def repair(relaxation: Relaxation) -> Tensor:
    """A step `[B, C, R, S]` in {−1, 0, 1} from the rounded one, and no worse: the best of all on a short way."""
    rows, step = relaxation.rows, relaxation.step
    if rows.budgets is None:
        # Every value is a pixel of its own.
        values, mixture, flat = (x.flatten(-3).unsqueeze(-2) for x in (rows.values, relaxation.mixture, step))
        present, cost, count = mixture[:, 0] != 0, mixture[:, 0].abs(), _VALUES
    else:
        values, mixture, flat = (x.flatten(-2) for x in (rows.values, relaxation.mixture, step))
        present, cost, count = relaxation.chosen.flatten(1), relaxation.indifference.flatten(1), MOST_UNITS
    units = Units.cheapest(values / rows.count, mixture / rows.count, present, cost, count)
    flat = units.written(flat, units.state)
    gains = (rows.gains(flat.reshape(step.shape)) / _GRAIN).round() * _GRAIN
    lacks = Shortfall(relaxation.bound, gains, rows.objectives)
    if rows.budgets is None:
        state = exchange(units, gains, lacks)
    else:
        state = move(units, units.places // rows.values.shape[4], gains, lacks)
    return units.written(flat, state).reshape(step.shape)

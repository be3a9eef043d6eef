"""Whether an image's prediction depends on its batch, or on chance."""

from mtlattack.analysis.trust.run import Finished, Sighting
from mtlattack.wording import counted

# Of what a task's predictions range over: rounding stays well below it, as when a model is prepared for attacks.
TOLERANCE = 1e-4


def batch_dependent(run: Finished) -> list[Sighting] | None:
    """`batch-dependent`; not to be told of a model that is random."""
    alone = None if run.calls is None else run.calls["alone"]
    if run.calls is None or alone is None or run.calls["again"] > TOLERANCE:
        return None
    if alone <= TOLERANCE:
        return []
    size = run.calls["images"]
    return [(None, f"alone, an image is predicted otherwise than in a batch of {size}, by {alone:.2g} of the range")]


def random(run: Finished) -> list[Sighting] | None:
    """`random`."""
    if run.calls is None:
        return None
    again = run.calls["again"]
    if again <= TOLERANCE:
        return []
    return [(None, f"two calls on the same {counted(run.calls['images'], 'image')} differ by {again:.2g} of the range")]

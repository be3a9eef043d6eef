"""Intervals and tests over models that are judged on the same images: models are drawn again, and images with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.transfer.pairs import holm

Array = NDArray[np.float64]

DRAWS = 4000
LEVEL = 0.05
LEAST_MODELS = 3
"""Fewer say nothing of what another one would do."""


@dataclass(frozen=True)
class Effect:
    """A mean over so many models with its 95 % interval, and the two-sided p value of zero, corrected where it is one
    of several."""

    value: float
    low: float
    high: float
    p: float
    models: int

    @property
    def known(self) -> bool:
        """Whether there are models enough to say anything."""
        return self.models >= LEAST_MODELS

    @property
    def above(self) -> bool:
        """Whether it is shown to be larger than zero."""
        return self.known and self.p < LEVEL and self.value > 0

    @property
    def below(self) -> bool:
        """Whether it is shown to be smaller than zero."""
        return self.known and self.p < LEVEL and self.value < 0

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


def resampled(by_model: Sequence[Array], seed: int = 0) -> tuple[float, Array]:
    """The mean over models, and as often as `DRAWS` that over models drawn with replacement, all under one resample of
    the images, whose luck does not cancel out over models: the pigeonhole bootstrap (Owen, Ann. Appl. Stat. 2007),
    which counts twice what images mean to single models, and so errs to the safe side.

    Of each model an array `[1 + R]`: the number on its images as they are, then on R resamples of them, the r-th the
    same for all models.
    """
    chance = np.random.default_rng(seed)
    models = chance.integers(len(by_model), size=(DRAWS, len(by_model)))
    images = chance.integers(1, min(map(len, by_model)), size=(DRAWS, 1))
    table = np.stack([values[: min(map(len, by_model))] for values in by_model])
    return float(table[:, 0].mean()), table[models, images].mean(1)


def effect(by_model: Sequence[Array], seed: int = 0) -> Effect:
    """The mean over models with its hierarchical bootstrap interval.

    With few models the interval is too short, as every bootstrap of few units is: say how many there were.
    """
    value, draws = resampled(by_model, seed)
    low, high = np.percentile(draws, [100 * LEVEL / 2, 100 * (1 - LEVEL / 2)])
    # What is no number speaks for neither side.
    beyond = min(np.sum(~(draws > 0)), np.sum(~(draws < 0)))
    return Effect(value, float(low), float(high), float(min(1, 2 * (beyond + 1) / (DRAWS + 1))), len(by_model))


def effects(comparisons: Mapping[str, Sequence[Array]], seed: int = 0) -> dict[str, Effect]:
    """Several comparisons at once: p values corrected by Holm, intervals each by itself."""
    found = {name: effect(by_model, seed) for name, by_model in comparisons.items()}
    corrected = holm([each.p for each in found.values()])
    return {name: replace(each, p=p) for (name, each), p in zip(found.items(), corrected, strict=True)}

"""Cells of the study as numbers by table, and tests of several tables at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import ttest_1samp

from mtlattack.analysis.transfer.pairs import holm
from mtlattack.poisoning.experiment import Estimate
from mtlattack.studies.nested import LEVEL
from mtlattack.studies.poisoning.measuring import MODES
from mtlattack.studies.study import Measured, Outcome

LEAST_SPLITS = 3
"""Fewer decide nothing."""
TEST = (
    "Student's t over splits, two-sided, p values corrected by Holm over all tables and modes of the claim; at least 3 "
    "splits, or it is undecided"
)


@dataclass(frozen=True)
class Difference:
    """A mean over splits with its 95 % interval, and the corrected p value of zero."""

    estimate: Estimate
    p: float
    splits: int

    @property
    def outcome(self) -> Outcome:
        """Holds above zero, fails below."""
        if self.splits < LEAST_SPLITS or self.p >= LEVEL or self.estimate.mean is None:
            return "undecided"
        return "holds" if self.estimate.mean > 0 else "fails"

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self.estimate), "p": self.p, "splits": self.splits}

    def __str__(self) -> str:
        shown = self.estimate
        return f"{shown.mean:.3g}" + ("" if shown.low is None else f" [{shown.low:.3g}, {shown.high:.3g}]")


def compared(comparisons: Mapping[str, Sequence[float]]) -> dict[str, Difference]:
    """Each comparison's mean of one number a split, p values corrected for all of them."""
    corrected = holm([_p(values) for values in comparisons.values()])
    return {
        name: Difference(Estimate.of(list(values)), p, len(values))
        for (name, values), p in zip(comparisons.items(), corrected, strict=True)
    }


def _p(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 1.0
    if np.ptp(values) == 0:
        return 1.0 if values[0] == 0 else 0.0
    return float(ttest_1samp(values, 0).pvalue)


def tables_of(measured: Sequence[Measured]) -> list[str]:
    """Tables, as they were measured."""
    return list(dict.fromkeys(cell.settings["table"] for cell in measured))


def cells_of(measured: Sequence[Measured], table: str, part: str) -> list[Measured]:
    """The cells of a table and part, by seed."""
    chosen = [cell for cell in measured if (cell.settings["table"], cell.settings["part"]) == (table, part)]
    return sorted(chosen, key=lambda cell: cell.settings["seed"])


def by_mode(
    measured: Sequence[Measured], value: Callable[[Mapping[str, Mapping[str, float]]], float]
) -> dict[str, list[float]]:
    """`value` of the attacks of every split, by table and mode."""
    return {
        f"{table} {mode}": [value(cell.numbers["attacks"]) for cell in cells_of(measured, table, mode)]
        for table in tables_of(measured)
        for mode in MODES
        if cells_of(measured, table, mode)
    }

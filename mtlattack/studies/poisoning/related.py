"""P2: indirect damage grows with how related the tasks are, and is none where they are not."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import spearmanr

from mtlattack.studies.outcomes import listed, together
from mtlattack.studies.poisoning.measuring import PAIRS_PART
from mtlattack.studies.poisoning.reading import TEST, cells_of, compared, tables_of
from mtlattack.studies.study import Claim, Measured, Outcome, Verdict

NONE = 1e-6


class Related(Claim):
    name = "P2"
    sentence = "Indirect damage grows with the clean |Ω_ij| of attacked and target task, and vanishes without relation."
    rule = (
        "For each table, in each split, over ordered pairs of tasks by chance: Spearman's ρ of the clean |Ω_ij| and "
        "the rise of target i's clean training loss when a fifth of task j is injected by PATOM, the victim learned by "
        f"Newton's method to 1e-10; {TEST}. A table holds if the mean ρ is above 0 and every rise at λ₂ = 0 is below "
        f"{NONE:g}; it fails if ρ is below 0 or a rise at λ₂ = 0 is not. The claim holds if all do, and fails if any "
        "does."
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Apply the rule; beside it, ρ with the clean |correlation|, which is not in the rule."""
        cells = {table: cells_of(measured, table, PAIRS_PART) for table in tables_of(measured)}
        cells = {table: found for table, found in cells.items() if found}
        by_omega = compared(_rank_correlations(cells, "omega"))
        beside = compared(_rank_correlations(cells, "correlation"))
        decoupled = {
            table: max(abs(rise) for cell in each for rise in cell.numbers["decoupled_rise"])
            for table, each in cells.items()
        }
        outcomes: dict[str, Outcome] = {
            table: "fails" if decoupled[table] >= NONE else by_omega[table].outcome for table in cells
        }
        said = "; ".join(f"{table} ρ = {by_omega[table]}" for table in cells)
        largest = max(decoupled.values(), default=0.0)
        because = f"{listed(outcomes)} · {said}; largest rise at λ₂ = 0: {largest:.1g}" if said else "nothing measured"
        numbers = {
            table: {
                "omega": by_omega[table].plain(),
                "correlation": beside[table].plain(),
                "decoupled": decoupled[table],
            }
            for table in cells
        }
        return Verdict(together(outcomes), because, numbers)


def _rank_correlations(cells: Mapping[str, Sequence[Measured]], of: str) -> dict[str, list[float]]:
    return {table: [rank_correlation(cell, of) for cell in each] for table, each in cells.items()}


def rank_correlation(cell: Measured, of: str) -> float:
    """Spearman's ρ of a pair's `omega` or `correlation` and the rise; 0 where one of them never varies."""
    one, rise = cell.numbers[of], cell.numbers["rise"]
    if np.ptp(one) == 0 or np.ptp(rise) == 0:
        return 0.0
    return float(spearmanr(one, rise).statistic)

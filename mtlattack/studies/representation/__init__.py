"""The claims of robust multi-task representation learning in the linear case, where risks are exact."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlattack.studies.representation import sweeps
from mtlattack.studies.representation.adversarial_stage import AdversarialStage
from mtlattack.studies.representation.crossover import Crossover
from mtlattack.studies.representation.diversity import Diversity
from mtlattack.studies.representation.more_data import MoreData
from mtlattack.studies.representation.pictures import plot_curves
from mtlattack.studies.representation.tables import convergence_table, pilot_table, sweep_tables
from mtlattack.studies.study import Cell, Measured, Study, Table


class RepresentationStudy(Study):
    """W1–W4 on linear tasks: squared and logistic losses, l_2 and l_inf, and over m three classes."""

    name = "representation"
    paper = "Watkins, Nguyen-Tang, Ullah, Arora: Adversarially robust multi-task representation learning (NeurIPS 2024)"
    summary = "a representation learned robustly on many source tasks gives a robust target task from few labels"
    cost = "quick: 11 cells, 20 s of processor time; full: 65 cells, 6 min"
    version = 2
    claims = (MoreData(), Diversity(), AdversarialStage(), Crossover())

    def cells(self, quick: bool) -> list[Cell]:
        """One for each arm, axis and value."""
        return sweeps.cells(self.name, quick)

    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Excess risks of every learner; nothing is kept beside them."""
        return sweeps.measure(settings)

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        """Each sweep, what the pilot has said of it, and where stage 1 converged."""
        return [*sweep_tables(measured), pilot_table(measured), convergence_table(measured)]

    def plot(self, measured: Sequence[Measured], folder: Path) -> list[Path]:
        """Excess against every size, with the bounds' shapes."""
        return [plot_curves(measured, folder / "excess.png")]

"""The claims on poisoning related tasks, on published tables and on frozen features."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlattack.errors import InputError
from mtlattack.studies.poisoning import measuring
from mtlattack.studies.poisoning.claims import Correlated, Exact, Stronger
from mtlattack.studies.poisoning.pictures import plot_correlations, plot_pairs
from mtlattack.studies.poisoning.related import Related
from mtlattack.studies.poisoning.sources import SOURCES, tables_folder
from mtlattack.studies.poisoning.tables import all_tables
from mtlattack.studies.study import Cell, Measured, Study, Table


class PoisoningStudy(Study):
    """P1–P4 on the tables whose files are at hand; the quick one draws its own."""

    name = "poisoning"
    paper = "Zhao, An, Yu, Liu, Pan: Data Poisoning Attacks on Multi-Task Relationship Learning (AAAI 2018)"
    summary = "points injected into some tasks make others, which learn with them, worse"
    cost = "quick: 18 cells, 18 s of processor time; full: 15 cells a table, 90 of six tables in 39 minutes"
    claims = (Stronger(), Related(), Correlated(), Exact())

    def cells(self, quick: bool) -> list[Cell]:
        """One a table, mode and split, and one of pairs a table and split; InputError without any table."""
        found = measuring.cells(self.name, quick)
        if not found:
            files = ", ".join(source.files[-1] for source in SOURCES.values() if source.files)
            raise InputError(f"no table is at hand: put published files ({files}) into {tables_folder()}")
        return found

    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Attacks, or pairs; task correlations are kept beside the numbers."""
        return measuring.measure(settings, folder)

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        """Every attack, and the pairs."""
        return all_tables(measured)

    def plot(self, measured: Sequence[Measured], folder: Path) -> list[Path]:
        """Correlations before and after, and rises against |Ω|."""
        return [plot_correlations(measured, folder), plot_pairs(measured, folder)]

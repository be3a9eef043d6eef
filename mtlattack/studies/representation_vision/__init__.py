"""Robust multi-task representation learning on images: few labels of a held-out task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlattack.studies.representation_vision import cells, pictures, plan
from mtlattack.studies.representation_vision.claims import V1, V2, V3, V4, V5, V6
from mtlattack.studies.representation_vision.skills import Skills
from mtlattack.studies.study import Cell, Measured, Study, Table


class RepresentationVisionStudy(Study):
    """Every task of the rooms and of NYUv2 is held out: clean and adversarial backbones from others, from the zoo and
    of ImageNet, heads from few labels."""

    name = "representation-vision"
    paper = "Watkins, Nguyen-Tang, Ullah, Arora: Adversarially robust multi-task representation learning (NeurIPS 2024)"
    summary = "a backbone trained robustly on other tasks gives a robust new task from few labelled images"
    cost = "full: 135 cells, 3.4 hours of a busy core, needs NYUv2 and the extra pretrained; quick: 5 cells, 6 s"
    version = 2
    claims = (V1, V2, V3, V4, V5, V6)

    def cells(self, quick: bool) -> list[Cell]:
        """One for each backbone, and one for each oracle."""
        return plan.cells(self.name, quick)

    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Skills of all heads on one backbone."""
        return cells.measure(settings, folder)

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        """Robust and clean skill by m, and how far the robust one stays below the oracle's; then by held-out task."""
        return pictures.tables(Skills(measured))

    def plot(self, measured: Sequence[Measured], folder: Path) -> list[Path]:
        """Robust skill against the number of labels."""
        return [pictures.plot(Skills(measured), folder / "skill.png")]

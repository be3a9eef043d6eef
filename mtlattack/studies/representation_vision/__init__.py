"""Robust multi-task representation learning on images: few labels of a held-out task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtlattack.figures import save_figure
from mtlattack.studies.nested import effect
from mtlattack.studies.representation_vision import cells
from mtlattack.studies.representation_vision.claims import V1, V2, V3, V4, Key, Skills
from mtlattack.studies.study import Cell, Measured, Study, Table


class RepresentationVisionStudy(Study):
    """A task of the rooms is held out: clean and adversarial backbones from others, heads from few labels."""

    name = "representation-vision"
    paper = "Watkins, Nguyen-Tang, Ullah, Arora: Adversarially robust multi-task representation learning (NeurIPS 2024)"
    summary = "a backbone trained robustly on other tasks gives a robust new task from few labelled images"
    cost = "full: 12 backbones, 7 heads each, on 48x64 rooms, some 15 minutes; quick: 2 backbones, 5 heads each"
    claims = (V1, V2, V3, V4)

    def cells(self, quick: bool) -> list[Cell]:
        """One for each backbone."""
        return cells.cells(self.name, quick)

    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Skills of all heads on one backbone."""
        return cells.measure(settings, folder)

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        """Robust and clean skill by m, and how far the robust one stays below that of a head from all images."""
        skills = Skills(measured)
        return [_table(skills, target) for target in skills.targets]

    def plot(self, measured: Sequence[Measured], folder: Path) -> list[Path]:
        """Robust skill against the number of labels, a panel a target and t."""
        return [_plot(Skills(measured), folder / "skill.png")]


def _lines(skills: Skills, target: str) -> list[tuple[Key, str]]:
    """Backbones and stages 2 in the order in which they are shown."""
    return [
        ((target, count, stage), head) for count in skills.sources for stage in cells.STAGES for head in cells.STAGES
    ]


def _table(skills: Skills, target: str) -> Table:
    rows = []
    for key, stage in _lines(skills, target):
        for count in skills.labels:
            name = cells.head_name(stage, count)
            robust, clean, oracle = skills.of(key, name), skills.of(key, name, "clean"), skills.of(key, cells.ORACLE)
            if not robust:
                continue
            told = [effect(list(each.values())) for each in (robust, clean)]
            excess = effect([oracle[seed] - robust[seed] for seed in robust])
            what = f"t = {key[1]}, {key[2]} stage 1, {stage} stage 2, m = {count}"
            rows.append([what, *map(str, told), str(excess)])
    columns = ["heads", "robust skill", "clean skill", "excess over all labels"]
    return Table(f"{target} held out: skill with 95 % intervals over seeds and images", columns, rows)


def _plot(skills: Skills, path: Path) -> Path:
    panels = [(target, count) for target in skills.targets for count in skills.sources]
    figure = Figure(figsize=(4.2 * len(panels), 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, (target, count) in zip(axes, panels, strict=True):
        for key, stage in _lines(skills, target):
            if key[1] != count:
                continue
            found = [list(skills.of(key, cells.head_name(stage, m)).values()) for m in skills.labels]
            colour, style = ("C0" if key[2] == "robust" else "C1"), ("-" if stage == "robust" else "--")
            told = [effect(each) for each in found]
            middle = np.array([each.value for each in told])
            bars = np.array([[each.value - each.low, each.high - each.value] for each in told]).T.clip(0)
            label = f"{key[2]} stage 1, {stage} stage 2"
            axis.errorbar(
                skills.labels, middle, bars, color=colour, linestyle=style, marker="o", capsize=2, label=label
            )
        for stage, colour in (("robust", "C0"), ("clean", "C1")):
            oracle = list(skills.of((target, count, stage), cells.ORACLE).values())
            axis.axhline(effect(oracle).value, color=colour, linestyle=":", label=f"{stage} stage 1, all labels")
        axis.set(xscale="log", xlabel="labelled images m", title=f"{target} held out, t = {count}")
        axis.grid(alpha=0.3)
    axes[0].set(ylabel="robust skill")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return save_figure(figure, path, dpi=100)

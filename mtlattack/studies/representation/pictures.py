"""Excess risk against every size: measured, its floors, and the shapes of the bounds with fitted constants."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtlattack.figures import save_figure
from mtlattack.representation.linear import Size, fit_constants, lipschitz, optimistic
from mtlattack.studies.representation.reading import Sweep, sweeps
from mtlattack.studies.representation.sweeps import BASE, DIMENSION, RANK, SWEPT_TARGET
from mtlattack.studies.representation.tables import TITLES
from mtlattack.studies.slopes import resampled_means
from mtlattack.studies.study import Measured

AXES = ("t", "n", "m", "weakest", "eps")
_STYLES = {
    "robust": ("C0", "o", "both stages adversarial"),
    "clean": ("C1", "s", "clean stage 1, adversarial stage 2"),
    "alone": ("C3", "^", "target alone, adversarial"),
    "true": ("C2", "x", "adversarial stage 2 on h*"),
}


def plot_curves(measured: Sequence[Measured], path: Path) -> Path:
    """A row an arm, a column an axis, both axes logarithmic; bars are 95 % bootstrap intervals over seeds."""
    grid = {(sweep.arm, axis): sweep for axis in AXES for sweep in sweeps(measured, axis)}
    arms, axes = list(dict.fromkeys(arm for arm, _ in grid)), [axis for axis in AXES if any(a == axis for _, a in grid)]
    figure = Figure(figsize=(3.4 * len(axes), 2.9 * len(arms) + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(arms), len(axes), squeeze=False)
    for row, arm in zip(panels, arms, strict=True):
        for panel, axis in zip(row, axes, strict=True):
            if (arm, axis) not in grid:
                panel.set_axis_off()
                continue
            _draw(panel, grid[arm, axis], _least_risk(measured, arm))
            panel.set(xlabel=TITLES[axis])
        next(panel for panel in row if panel.axison).set(ylabel=f"{arm}\nexcess adversarial risk")
    handles: dict[str, Any] = {}
    for panel in panels.ravel():
        handles |= {label: handle for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3, frameon=False)
    return save_figure(figure, path, dpi=90)


def _draw(panel: Axes, sweep: Sweep, least: float) -> None:
    for name, excess in sweep.excess.items():
        colour, marker, label = _STYLES[name]
        draws = resampled_means(excess)
        middle, ends = draws[0], np.percentile(draws[1:], [2.5, 97.5], axis=0)
        shown = middle > 0
        low = np.clip(middle - ends[0], 0, 0.95 * np.abs(middle))
        bars = np.stack([low, np.clip(ends[1] - middle, 0, None)])[:, shown]
        panel.errorbar(
            np.asarray(sweep.values)[shown], middle[shown], bars, color=colour, marker=marker, label=label, capsize=2
        )
    panel.set(xscale="log", yscale="log")
    panel.grid(alpha=0.3, which="both")
    if sweep.axis in ("t", "n", "m") and (sweep.excess["robust"].mean(0) > 0).all():
        for name, shape, style in (("optimistic", optimistic, "--"), ("Lipschitz", lipschitz, ":")):
            terms = [shape(_size(sweep.axis, value, least)) for value in sweep.values]
            constants = fit_constants(terms, sweep.excess["robust"].mean(0))
            curve = [constants[0] * one + constants[1] * other for one, other in terms]
            panel.plot(sweep.values, curve, style, color="0.4", label=f"shape of the {name} bound, constants fitted")


def _size(axis: str, value: float, least: float) -> Size:
    sizes = {**BASE, **(SWEPT_TARGET if axis == "m" else {}), axis: value}
    return Size(DIMENSION, RANK, int(sizes["t"]), int(sizes["n"]), int(sizes["m"]), 1.0, least)


def _least_risk(measured: Sequence[Measured], arm: str) -> float:
    return float(np.mean([np.mean(cell.numbers["least"]) for cell in measured if cell.settings["arm"] == arm]))

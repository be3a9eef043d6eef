"""Pictures of effects with their intervals: as lines over a number, and as a forest around zero."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mtlattack.figures import save_figure
from mtlattack.studies.nested import Effect


@dataclass(frozen=True)
class Forest:
    """A panel of effects by name, one below the other, with a line at zero; `x_label` says what they are of."""

    title: str
    x_label: str
    effects: Mapping[str, Effect]


@dataclass(frozen=True)
class Line:
    """Effects at the places `x`, with a name."""

    label: str
    x: Sequence[float]
    effects: Sequence[Effect]


@dataclass(frozen=True)
class Trend:
    """A panel of lines; `log` is of the x axis."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    log: bool = False


def plot_forests(rows: Sequence[Sequence[Forest]], path: Path) -> Path:
    """A grid of panels; those of a row have the same names."""
    height = 1.2 + 0.28 * max(len(panel.effects) for row in rows for panel in row)
    columns = max(map(len, rows))
    figure, axes = _grid(len(rows), columns, (3.1 * columns + 1.5, height * len(rows)), share_y="row")
    for line, row in zip(axes, rows, strict=True):
        for axis, panel in zip(line, row, strict=True):
            places = np.arange(len(panel.effects))
            values = np.array([effect.value for effect in panel.effects.values()])
            axis.errorbar(values, places, xerr=_bars(list(panel.effects.values())), fmt="o", capsize=2, color="C0")
            axis.axvline(0, color="black", linewidth=0.8)
            axis.set(title=panel.title, xlabel=panel.x_label, yticks=places, yticklabels=list(panel.effects))
            axis.set_ylim(len(places) - 0.5, -0.5)
            axis.grid(alpha=0.3, axis="x")
    return save_figure(figure, path, dpi=100)


def plot_trends(panels: Sequence[Trend], path: Path) -> Path:
    """A row of panels, one legend for all."""
    figure, axes = _grid(1, len(panels), (max(4.2 * len(panels), 6.5), 4.2), share_y=True)
    for axis, panel in zip(axes[0], panels, strict=True):
        for line in panel.lines:
            values = [effect.value for effect in line.effects]
            axis.errorbar(line.x, values, yerr=_bars(line.effects), marker="o", capsize=2, label=line.label)
        axis.set(title=panel.title, xlabel=panel.x_label, xscale="log" if panel.log else "linear")
        if all(float(x).is_integer() for line in panel.lines for x in line.x) and not panel.log:
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
    axes[0][0].set(ylabel=panels[0].y_label)
    named = {label: handle for axis in axes[0] for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return save_figure(figure, path, dpi=100)


def _bars(effects: Sequence[Effect]) -> np.ndarray:
    """How far each interval reaches below and above its value, `[2, N]`."""
    return np.array([[e.value - e.low for e in effects], [e.high - e.value for e in effects]]).clip(0)


_Shared = bool | Literal["row"]


def _grid(rows: int, columns: int, size: tuple[float, float], share_y: _Shared) -> tuple[Figure, list[list[Axes]]]:
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=share_y)  # type: ignore[call-overload]
    return figure, [list(row) for row in axes]

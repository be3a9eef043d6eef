"""A picture of a data set: some images, each with all its labels, to see at a glance whether they fit together."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mtlattack.data.prepared import PreparedDataset, join_batches
from mtlattack.errors import InputError
from mtlattack.figures import save_figure
from mtlattack.tasks import Painting
from mtlattack.wording import counted

_CELL, _GAP, _LEFT = 2.1, 0.05, 0.35
_HEAD, _BAR, _LEGEND_LINE = 0.6, 0.45, 0.19
"""Inches; a picture of six columns is 1,450 pixels wide."""
_DPI = 110


def preview(dataset: PreparedDataset, path: str | Path, count: int = 6) -> Path:
    """Draw `count` images, spread evenly over a data set, with their labels into a PNG and return its path.

    Rows are images, columns the image and each task's label. Colours of a column mean the same in all rows: classes
    have a legend (of those that are seen), depth and heat maps a scale; normals are red to the right, green upward,
    blue toward the viewer; curvatures are red and green, mid-grey where the surface is flat. Pixels without a label are
    light grey. InputError if the file cannot be written.
    """
    if count < 1:
        raise InputError(f"count {count}, expected at least 1")
    positions = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int))
    batch = join_batches([dataset[int(position)] for position in positions])
    columns = {"image": Painting(batch.images.permute(0, 2, 3, 1).numpy().astype(np.float64))}
    for name in dataset.tasks:
        columns[name] = paint(dataset, name, batch.targets[name].numpy())
    figure = draw_columns(
        f"{dataset.name}, {dataset.split} split, {counted(len(dataset), 'image')}", batch.ids, columns
    )
    return save_figure(figure, Path(path), format="png")


def paint(dataset: PreparedDataset, task: str, labels: NDArray[Any]) -> Painting:
    """A column of pictures: labels `[N, …, H, W]` of a task of `dataset`, or predictions in the same form."""
    return dataset.tasks[task].paint(labels, dataset.class_names(task) or ())


def draw_columns(title: str, ids: list[str], columns: dict[str, Painting]) -> Figure:
    """The picture, laid out in inches from the top left."""
    height, width = columns["image"].pictures.shape[1:3]
    cell_height = _CELL * height / width
    across = _LEFT + len(columns) * (_CELL + _GAP)
    pictures_end = _HEAD + len(ids) * (cell_height + _GAP)
    legends = {name: column.legend for name, column in columns.items() if column.legend}
    per_line = max(2, int(across / 1.35))
    lines = sum(math.ceil(len(legend) / per_line) for legend in legends.values())
    bar = _BAR if any(column.scale for column in columns.values()) else 0.1
    down = pictures_end + bar + lines * _LEGEND_LINE + 0.1 * len(legends) + 0.05

    figure = Figure(figsize=(across, down), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)

    def place(left: float, top: float, wide: float, high: float) -> Axes:
        return figure.add_axes((left / across, 1 - (top + high) / down, wide / across, high / down))

    figure.text(_LEFT / across, 1 - 0.12 / down, title, fontsize=11, weight="bold", va="top")
    for number, (name, column) in enumerate(columns.items()):
        left = _LEFT + number * (_CELL + _GAP)
        for row, picture in enumerate(column.pictures):
            axes = place(left, _HEAD + row * (cell_height + _GAP), _CELL, cell_height)
            axes.imshow(picture, interpolation="nearest", aspect="auto")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if row == 0:
                axes.set_title(name + (f" [{column.unit}]" if column.unit else ""), fontsize=9, pad=3)
            if number == 0:
                axes.set_ylabel(ids[row], fontsize=8)
        if column.scale:
            colours, low, high = column.scale
            axes = place(left + 0.1, pictures_end + 0.05, _CELL - 0.2, 0.1)
            axes.imshow(np.linspace(0, 1, 256)[None], cmap=colours, aspect="auto", extent=(low, high, 0, 1))
            axes.set_yticks([])
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.tick_params(labelsize=7, length=2, pad=1)
    top = pictures_end + bar
    for legend in legends.values():
        top += 0.1
        for start in range(0, len(legend), per_line):
            axes = place(_LEFT, top, across - _LEFT, _LEGEND_LINE)
            _draw_legend_line(axes, legend[start : start + per_line], per_line)
            top += _LEGEND_LINE
    return figure


def _draw_legend_line(axes: Axes, entries: tuple[tuple[str, tuple[float, ...]], ...], per_line: int) -> None:
    axes.set_axis_off()
    axes.set(xlim=(0, per_line), ylim=(0, 1))
    for number, (name, colour) in enumerate(entries):
        axes.add_patch(Rectangle((number, 0.2), 0.13, 0.6, color=colour))
        axes.text(number + 0.18, 0.45, name, fontsize=8, va="center")

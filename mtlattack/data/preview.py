"""A picture of a data set: some images, each with all its labels, to see at a glance whether they fit together."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mtlattack.data.prepared import PreparedDataset, join_batches
from mtlattack.errors import InputError
from mtlattack.figures import save_figure
from mtlattack.tasks import Segmentation

Array = NDArray[np.float64]

_CELL, _GAP, _LEFT = 2.1, 0.05, 0.35
_HEAD, _BAR, _LEGEND_LINE = 0.6, 0.45, 0.19
"""Inches; a picture of six columns is 1,450 pixels wide."""
_DPI = 110
_INVALID = (0.85, 0.85, 0.85)


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
    columns = {"image": Column(batch.images.permute(0, 2, 3, 1).numpy().astype(np.float64))}
    for name in dataset.tasks:
        columns[name] = paint(dataset, name, batch.targets[name].numpy())
    figure = draw_columns(f"{dataset.name}, {dataset.split} split, {len(dataset)} images", batch.ids, columns)
    return save_figure(figure, Path(path), format="png")


@dataclass(frozen=True)
class Column:
    """One column of the picture: RGB `[N, H, W, 3]` in [0, 1], and what explains its colours."""

    pictures: Array
    legend: tuple[tuple[str, tuple[float, ...]], ...] = ()
    scale: tuple[str, float, float] | None = None
    """Colour map, and the values at its ends."""
    unit: str = ""


def paint(dataset: PreparedDataset, task: str, labels: NDArray[Any]) -> Column:
    """A column of pictures: labels `[N, …, H, W]` of a task of `dataset`, or predictions in the same form."""
    return _PAINTERS.get(dataset.tasks[task].kind, _paint_heatmap)(dataset, task, labels)


def _paint_segmentation(dataset: PreparedDataset, name: str, labels: NDArray[np.int64]) -> Column:
    task = dataset.tasks[name]
    assert isinstance(task, Segmentation)
    palette = class_colours(task.classes)
    names = dataset.class_names(name) or [f"class {number}" for number in range(task.classes)]
    known = labels != task.ignore
    pictures = np.where(known[..., None], palette[np.where(known, labels, 0)], _INVALID)
    seen = np.unique(labels[known])
    return Column(pictures, tuple((names[number], tuple(palette[number])) for number in seen))


def _paint_depth(dataset: PreparedDataset, name: str, labels: NDArray[np.float32]) -> Column:
    valid = np.isfinite(labels) & (labels > 0)
    return _paint_scale(labels, valid, "viridis_r", "m", start=None)


def _paint_inverse_depth(dataset: PreparedDataset, name: str, labels: NDArray[np.float32]) -> Column:
    return _paint_scale(labels, np.isfinite(labels) & (labels > 0), "viridis", "1/m", start=0.0)  # near is as in depth


def _paint_heatmap(dataset: PreparedDataset, name: str, labels: NDArray[np.float32]) -> Column:
    return _paint_scale(labels, np.isfinite(labels), "magma", "", start=0.0)


def _paint_scale(
    labels: NDArray[np.float32], valid: NDArray[np.bool_], colours: str, unit: str, start: float | None
) -> Column:
    """Values by colour, from `start` or the 1st percentile to the 99th, so that single pixels do not take the range."""
    values = labels[valid].astype(np.float64)
    low, high = np.percentile(values, (1, 99)) if values.size else (0.0, 1.0)
    low = float(low if start is None else start)
    high = float(max(high, low + 1e-3))
    pictures = colormaps[colours](Normalize(low, high, clip=True)(np.where(valid, labels, low)))[..., :3]
    return Column(np.where(valid[..., None], pictures, _INVALID), scale=(colours, low, high), unit=unit)


def _paint_normals(dataset: PreparedDataset, name: str, labels: NDArray[np.float32]) -> Column:
    normals = labels.transpose(0, 2, 3, 1).astype(np.float64)
    # From x right, y down, z forward to the colours that people know: flat walls ahead are light blue.
    colours = np.clip((normals * (1, -1, -1) + 1) / 2, 0, 1)
    return Column(np.where((normals != 0).any(-1, keepdims=True), colours, _INVALID))


def _paint_curvature(dataset: PreparedDataset, name: str, labels: NDArray[np.float32]) -> Column:
    curvatures = labels.transpose(0, 2, 3, 1).astype(np.float64)
    valid = np.isfinite(curvatures).all(-1, keepdims=True)
    curvatures = np.where(valid, curvatures, 0)
    limit = max(float(np.percentile(np.abs(curvatures), 99)), 1e-6)
    red_green = np.clip((curvatures / limit + 1) / 2, 0, 1)
    colours = np.concatenate([red_green, np.full_like(red_green[..., :1], 0.5)], -1)
    return Column(np.where(valid, colours, _INVALID))


_PAINTERS: dict[str, Callable[[PreparedDataset, str, NDArray[Any]], Column]] = {
    "segmentation": _paint_segmentation,
    "depth": _paint_depth,
    "depth_euclidean": _paint_depth,
    "inverse_depth": _paint_inverse_depth,
    "principal_curvature": _paint_curvature,
    "normals": _paint_normals,
}


def class_colours(count: int) -> Array:
    """Colours `[count, 3]` in [0, 1] for class numbers; the first 20 are told apart at a glance, any number works."""
    pairs, more, most = (
        colormaps[name](np.arange(n))[:, :3] for name, n in (("tab20", 20), ("tab20b", 20), ("Dark2", 7))
    )
    # The dark one of each pair first: few classes get strong colours. Light greys would read as "no label".
    palette = np.concatenate([pairs[::2], pairs[1::2], more, most])
    palette = palette[(np.ptp(palette, axis=1) > 0.02) | (palette.max(1) < 0.6)]
    return np.resize(palette, (count, 3)).astype(np.float64)


def draw_columns(title: str, ids: list[str], columns: dict[str, Column]) -> Figure:
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

"""Heat maps: sources are rows, victims columns, a victim's own cell is framed, and the floor is a row of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mtlattack.analysis.resampling import Array
from mtlattack.analysis.tables import compact_number
from mtlattack.analysis.transfer.labels import heading, labels
from mtlattack.analysis.transfer.record import Matrix, TransferRecord
from mtlattack.analysis.transfer.tables import BELOW_NOISE, LOG_RATIO, SHARE, Quantity, below
from mtlattack.figures import save_figure

FORMATS = ("png", "svg")
_CELL = 0.62  # inches
_INK, _PAPER, _OWN = "#1c1f24", "#ffffff", "#eceff3"


def draw(record: TransferRecord, folder: Path) -> list[Path]:
    """A picture a quantity, `transfer-<quantity>.png` and `.svg`, with a panel a matrix; gives what was written."""
    figures = {
        "share": _figure(record, SHARE, "skill taken, % of what the victim's own white-box attack takes"),
        "log_ratio": _figure(record, LOG_RATIO, "mean log loss ratio"),
        "cosine": _figure(record, None, "cosine of the input gradients"),
    }
    written = []
    for name, figure in figures.items():
        for kind in FORMATS:
            # The same picture is the same bytes: no date, no random ids, no version of the library that drew it.
            metadata = {"Date": None} if kind == "svg" else {"Software": None}
            with rc_context({"svg.hashsalt": "mtlattack"}):
                path = folder / f"transfer-{name}.{kind}"
                written.append(save_figure(figure, path, format=kind, dpi=130, metadata=metadata))
    return written


def _figure(record: TransferRecord, quantity: Quantity | None, title: str) -> Figure:
    """A panel a matrix, at most two beside each other; one scale of colours for all."""
    matrices = record.matrices
    across = min(len(matrices), 2)
    down = -(-len(matrices) // across)
    rows, columns = (
        max(len(names) for names in lists) for lists in zip(*((m.sources, m.victims) for m in matrices), strict=True)
    )
    longest = max(len(label) for m in matrices for label in labels(record, [*m.sources, *m.victims]))
    margin = 0.085 * longest + 0.35
    size = (
        across * (_CELL * columns + margin) + 1.0,
        down * (_CELL * (rows + (1.3 if quantity else 0)) + margin * 0.75 + 0.45) + 0.7,
    )
    figure = Figure(figsize=(max(size[0], 5.2), size[1]), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.12)  # type: ignore[union-attr, call-arg]
    FigureCanvasAgg(figure)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    values = [_values(matrix, quantity) for matrix in matrices]
    scale = _scale(matrices, values, quantity)
    image = None
    for axis, matrix, shown in zip(axes, matrices, values, strict=False):
        image = _panel(axis, record, matrix, shown, quantity, scale)
    for axis in axes[len(matrices) :]:
        axis.axis("off")
    bar = figure.colorbar(image, ax=list(axes), shrink=0.6, aspect=30, pad=0.02)  # type: ignore[arg-type]
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.ax.tick_params(labelsize=8)
    signs = f"framed: {'with itself' if quantity is None else 'own white-box attack'}"
    signs += "" if quantity is None else f" · {BELOW_NOISE}: not above noise"
    figure.suptitle(f"{heading(record)}: {title}\n{signs}", fontsize=9)
    return figure


def _values(matrix: Matrix, quantity: Quantity | None) -> Array:
    """`[rows, columns]`, in per cent where the quantity is."""
    factor = 100 if quantity and quantity.percent else 1
    found = [
        [quantity.of(cell).value if quantity else alike.cosine.value for cell, alike in zip(*both, strict=True)]
        for both in zip(matrix.cells, matrix.alike, strict=True)
    ]
    return factor * np.array(found, np.float64)


def _scale(matrices: Sequence[Matrix], values: Sequence[Array], quantity: Quantity | None) -> Normalize:
    """From 0 on; of shares to 100 %, of the rest to the largest value, which for cosines is that of the foreign cells:
    a gradient's cosine with itself says nothing."""
    if quantity is SHARE:
        return Normalize(0, 100, clip=True)
    shown = [
        each[np.isfinite(each) & ~_own(matrix)] if quantity is None else each[np.isfinite(each)]
        for matrix, each in zip(matrices, values, strict=True)
    ]
    largest = max((float(each.max()) for each in shown if each.size), default=1.0)
    return Normalize(0, largest if largest > 0 else 1.0, clip=True)


def _own(matrix: Matrix) -> Any:
    return np.array([[cell.own for cell in row] for row in matrix.cells])


def _panel(
    axis: Axes, record: TransferRecord, matrix: Matrix, values: Array, quantity: Quantity | None, scale: Normalize
) -> Any:
    rows, columns = values.shape
    colours = colormaps["YlOrRd"].with_extremes(bad="#ffffff")
    own = _own(matrix)
    image = axis.imshow(values, cmap=colours, norm=scale, aspect="equal")
    for (row, column), value in np.ndenumerate(values):
        weak = quantity is not None and not own[row, column] and not matrix.cells[row][column].beats_noise
        if quantity is None and own[row, column]:
            axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=_OWN, edgecolor="none"))
        _write(axis, column, row, value, quantity, scale, weak)
        if own[row, column]:
            axis.add_patch(
                Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor="black", linewidth=1.8)
            )
    names = labels(record, matrix.sources)
    places = [float(row) for row in range(rows)]
    if quantity is not None:
        floor = [np.nan if x.value is None else x.value for x in dict(below(matrix, quantity))["noise"]]
        shown = np.array([floor]) * (100 if quantity.percent else 1)
        axis.imshow(
            shown, cmap=colours, norm=scale, aspect="equal", extent=(-0.5, columns - 0.5, rows + 0.8, rows - 0.2)
        )
        for column, value in enumerate(shown[0]):
            _write(axis, column, rows + 0.3, value, quantity, scale, False)
        names, places = [*names, "noise"], [*places, rows + 0.3]
    axis.set(xlim=(-0.5, columns - 0.5), ylim=(rows + (0.8 if quantity else -0.5), -0.5))
    axis.set_yticks(places, labels=names, fontsize=8)
    axis.set_xticks(
        range(columns),
        labels=labels(record, matrix.victims),
        fontsize=8,
        rotation=40,
        ha="right",
        rotation_mode="anchor",
    )
    axis.set_xlabel("judged on", fontsize=8)
    axis.set_ylabel("made for" if matrix.kind == "tasks" else "made on", fontsize=8)
    if matrix.kind == "tasks":
        axis.set_title(matrix.title, fontsize=9)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    # White lines between the cells keep rows and columns apart.
    for line in np.arange(-0.5, columns):
        axis.axvline(line, color="white", linewidth=1.2)
    for line in np.arange(-0.5, rows):
        axis.axhline(line, color="white", linewidth=1.2)
    return image


def _write(
    axis: Axes, x: float, y: float, value: float, quantity: Quantity | None, scale: Normalize, weak: bool
) -> None:
    """The number in the cell, dark on light and light on dark; slanted and marked where it is not above noise."""
    percent = quantity is not None and quantity.percent
    text = compact_number(value / 100 if percent else value, percent) if np.isfinite(value) else "–"
    # On the grey of a gradient with itself the number is dark too.
    beyond = quantity is None and value > float(scale.vmax or 0)
    dark = np.isfinite(value) and scale(value) > 0.6 and not beyond
    axis.text(
        x, y, f"{text}{BELOW_NOISE}" if weak else text, ha="center", va="center", fontsize=8,
        color=_PAPER if dark else _INK, style="italic" if weak else "normal", alpha=0.75 if weak else 1,
    )  # fmt: skip

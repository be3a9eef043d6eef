"""Pictures: task correlations clean, after random points and after PATOM; and rises against |Ω|."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtlattack.figures import save_figure
from mtlattack.studies.folder import cells_folder
from mtlattack.studies.poisoning.measuring import CORRELATIONS, MODES, PAIRS_PART
from mtlattack.studies.poisoning.reading import cells_of, tables_of
from mtlattack.studies.study import Measured

_PANELS = ("clean", "random", "patom")


def plot_correlations(measured: Sequence[Measured], folder: Path) -> Path:
    """A row a table, of its first split; in every panel the attacked tasks come first, set off by lines."""
    tables = tables_of(measured)
    figure = Figure(figsize=(2.2 * len(MODES) * len(_PANELS), 2.3 * len(tables) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(tables), len(MODES) * len(_PANELS), squeeze=False)
    image = None
    for row, table in zip(axes, tables, strict=True):
        for begin, mode in enumerate(MODES):
            with np.load(cells_folder(folder) / cells_of(measured, table, mode)[0].name / CORRELATIONS) as stored:
                attacked = stored["attacked"].tolist()
                panels = [stored[name] for name in _PANELS]
            order = [*attacked, *(i for i in range(len(panels[0])) if i not in attacked)]
            for place, (name, values) in enumerate(zip(_PANELS, panels, strict=True)):
                axis = row[begin * len(_PANELS) + place]
                image = axis.imshow(values[np.ix_(order, order)], cmap="RdBu_r", vmin=-1, vmax=1)
                for line in (axis.axhline, axis.axvline):
                    line(len(attacked) - 0.5, color="black", linewidth=0.8)
                axis.set_xticks([])
                axis.set_yticks([])
                axis.set_title(f"{mode}: {name}", fontsize=8)
        row[0].set_ylabel(table, fontsize=8)
    figure.colorbar(image, ax=axes.ravel().tolist(), shrink=0.6)  # type: ignore[arg-type]
    figure.suptitle("task correlations, attacked tasks first", fontsize=9)
    return save_figure(figure, folder / "correlations.png", dpi=90, metadata={"Software": None})


def plot_pairs(measured: Sequence[Measured], folder: Path) -> Path:
    """A panel a table: each pair's rise against its clean |Ω|, a colour a split."""
    tables = [table for table in tables_of(measured) if cells_of(measured, table, PAIRS_PART)]
    figure = Figure(figsize=(2.6 * max(1, len(tables)), 2.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, table in zip(figure.subplots(1, max(1, len(tables)), squeeze=False)[0], tables, strict=False):
        for cell in cells_of(measured, table, PAIRS_PART):
            axis.plot(cell.numbers["omega"], cell.numbers["rise"], ".", markersize=4, alpha=0.7)
        axis.set_title(table, fontsize=9)
        axis.set(xlabel="clean |Ω| of the pair", xscale="log")
        axis.axhline(0, color="0.5", linewidth=0.8)
        axis.grid(alpha=0.3)
    figure.axes[0].set_ylabel("rise of the target's loss")
    return save_figure(figure, folder / "pairs.png", dpi=90, metadata={"Software": None})

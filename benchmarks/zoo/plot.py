"""The zoo as a picture: what the attack costs against sharing degree, clean and adversarially trained."""

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtlattack.figures import save_figure

COLOURS = {"clean": "C3", "pgd-dgba": "C0", "pgd-total": "C2"}
PANELS = (
    ("mean log loss ratio ↓", lambda row: row["log_ratio"]["value"]),
    ("mIoU under attack, % ↑", lambda row: row["attacked"]["segmentation"]["miou"]),
    ("clean mIoU, % ↑", lambda row: row["clean"]["segmentation"]["miou"]),
)


def plot_zoo(rows: list[dict[str, Any]], path: Path) -> None:
    """A row of panels a data set, a line a way of training, sharing degree on the horizontal axis."""
    names = list(dict.fromkeys(row["data"] for row in rows))
    figure = Figure(figsize=(10, 3.1 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(names), len(PANELS), squeeze=False)
    for line, data in enumerate(names):
        for axis, (label, value) in zip(axes[line], PANELS, strict=True):
            for training, colour in COLOURS.items():
                chosen = [row for row in rows if (row["data"], row["training"]) == (data, training)]
                points = sorted((row["degree"], value(row)) for row in chosen)
                axis.plot(*zip(*points, strict=True) if points else ((), ()), "o-", color=colour, label=training)
            if value is PANELS[0][1]:
                for row in (row for row in rows if row["data"] == data):
                    ratio, colour = row["log_ratio"], COLOURS[row["training"]]
                    axis.plot([row["degree"]] * 2, [ratio["low"], ratio["high"]], color=colour, linewidth=1)
            axis.set(title=f"{data}: {label}", xlabel="sharing degree", xlim=(-0.05, 1.05))
            axis.set_ylim(bottom=0)
            axis.grid(alpha=0.3)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, [f"trained on {label}" for label in labels], loc="outside lower center", ncols=3, frameon=False
    )
    save_figure(figure, path, dpi=110)

"""The zoo as a picture: what the attack costs against sharing degree, clean and adversarially trained."""

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtlattack.figures import save_figure

COLOURS = {"clean": "C3", "pgd-dgba": "C0", "pgd-total": "C2"}
# By data set and backbone; one that stands alone has no line.
MARKERS = {"rooms-resnet10t": "o-", "nyuv2-resnet10t": "o-", "nyuv2-efficientnetlite0": "s"}
PANELS = (
    ("mean log loss ratio ↓", lambda row: row["log_ratio"]["value"]),
    ("mIoU under attack, % ↑", lambda row: row["attacked"]["segmentation"]["miou"]),
    ("clean mIoU, % ↑", lambda row: row["clean"]["segmentation"]["miou"]),
)


def plot_zoo(rows: list[dict[str, Any]], path: Path) -> None:
    """A row of panels a data set, a line a backbone and way of training, sharing degree on the horizontal axis."""
    names = list(dict.fromkeys(row["data"] for row in rows))
    figure = Figure(figsize=(10, 3.1 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(names), len(PANELS), squeeze=False)
    for line, data in enumerate(names):
        for axis, (label, value) in zip(axes[line], PANELS, strict=True):
            for training, colour in COLOURS.items():
                axis.plot((), (), "o-", color=colour, label=training)
            lines: dict[tuple[str, str], list[tuple[float, float]]] = {}
            for row in (row for row in rows if row["data"] == data):
                backbone = row["name"].partition(".")[0]
                lines.setdefault((backbone, row["training"]), []).append((row["degree"], value(row)))
            for (backbone, training), points in lines.items():
                axis.plot(*zip(*sorted(points), strict=True), MARKERS[backbone], color=COLOURS[training])
            if value is PANELS[0][1]:
                for row in (row for row in rows if row["data"] == data):
                    ratio, colour = row["log_ratio"], COLOURS[row["training"]]
                    axis.plot([row["degree"]] * 2, [ratio["low"], ratio["high"]], color=colour, linewidth=1)
            axis.set(title=f"{data}: {label}", xlabel="sharing degree", xlim=(-0.05, 1.05))
            axis.set_ylim(0, 1.05 * axis.get_ylim()[1])
            axis.grid(alpha=0.3)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, [f"trained on {label}" for label in labels], loc="outside lower center", ncols=3, frameon=False
    )
    save_figure(figure, path, dpi=110)

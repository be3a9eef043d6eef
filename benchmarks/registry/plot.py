"""The matrix as a picture: one row a model, one column an aggregate, one line an aggregator."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from table import by_aggregator, measured

from mtlattack.figures import save_figure

_MARKS = {"pgd": ("s", "C0"), "apgd": ("o", "C3")}


def plot(documents: Sequence[dict[str, Any]], path: Path) -> None:
    """Values with 95 % intervals; aggregators in the order of the first model's table."""
    rows = [by_aggregator(document["attacks"]) for document in documents]
    order = list(dict.fromkeys(name for row in rows for name in row))[::-1]
    summaries = [summary for summary in measured(documents[0]) if all(summary in measured(one) for one in documents)]
    figure = Figure(figsize=(15, 0.24 * len(order) * len(rows) + 1.2 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), len(summaries), squeeze=False)
    for line, document, found in zip(axes, documents, rows, strict=True):
        names = [name for name in order if name in found]
        for column, (axis, summary) in enumerate(zip(line, summaries, strict=True)):
            for shift, (step, (mark, colour)) in zip((-0.15, 0.15), _MARKS.items(), strict=True):
                values = [found[name][step][summary.key] for name in names]
                places = [place + shift for place in range(len(names))]
                axis.hlines(places, [v["low"] for v in values], [v["high"] for v in values], colors=colour, linewidth=1)
                axis.plot([v["value"] for v in values], places, mark, color=colour, markersize=4, label=step)
            axis.set_yticks(range(len(names)), names if column == 0 else [""] * len(names), fontsize=8)
            axis.grid(alpha=0.3)
            axis.set_title(summary.title.removesuffix(" %"), fontsize=9)
            if summary.strong_is_low:
                axis.invert_xaxis()  # stronger is to the right everywhere
        line[0].set_ylabel(f"{document['model']['name']}\nε = {document['eps_255']:g}/255", fontsize=9)
    axes[0][-1].legend(loc="lower right", fontsize=8)
    save_figure(figure, path, dpi=100)

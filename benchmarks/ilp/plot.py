"""The study as a picture: gaps after each stage, and seconds an image."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from measure import Row
from table import GOAL_SPEEDUP

from mtlattack.figures import save_figure

_STAGES = {"rounded": "o", "repaired": "s", "restricted": "^", "PuLP": "x"}
_LEAST = 1e-7  # smaller gaps are drawn here


def plot(rows: Sequence[Row], solver: str, path: Path) -> None:
    """Medians, a row a program, the models one after the other."""
    figure = Figure(figsize=(11, 0.36 * len(rows) + 1.8), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    places = range(len(rows))
    for index, (stage, mark) in enumerate(_STAGES.items()):
        points = [(max(median(row.gaps[stage]), _LEAST), i) for i, row in enumerate(rows) if row.gaps.get(stage)]
        if points:
            left.plot(*zip(*points, strict=True), mark, color=f"C{index}", label=stage, markersize=6)
    left.axvline(1e-3, color="black", linewidth=0.8, linestyle="--")
    left.set(xscale="log", xlabel="certified gap, median; dashed: 1e-3")
    dual = [median(row.seconds_dual) for row in rows]
    right.plot(dual, places, "s", color="C1", label="dual solver")
    right.plot([GOAL_SPEEDUP * seconds for seconds in dual], places, "|", color="black", label=f"{GOAL_SPEEDUP} × dual")
    offline = [(median(row.seconds_restricted), i) for i, row in enumerate(rows) if row.seconds_restricted]
    if offline:
        right.plot(*zip(*offline, strict=True), "^", color="C2", label="restricted")
    right.plot([median(row.seconds_pulp) for row in rows], places, "x", color="C3", label=f"PuLP, {solver}")
    right.set(xscale="log", xlabel="seconds an image, median")
    left.set_yticks(places, [f"{row.model}: {row.kind}" for row in rows], fontsize=8)
    left.invert_yaxis()
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    save_figure(figure, path, dpi=110)

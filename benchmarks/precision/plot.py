"""The study as a picture: strength kept on each model, and what it has to do with the gradients' signs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compare import GOAL, MEASURES, Row
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtlattack.figures import save_figure

_GUARD = 90  # per cent of equal signs that `precision="auto"` asks for
_BESIDE: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1, 1), "fontsize": 8, "frameon": False}


def plot(trained: Sequence[Row], untrained: Sequence[Row], path: Path) -> None:
    """A panel an attack with the trained models on x, the last with the share of equal signs of all on x."""
    attacks = [attack["config"]["name"] for attack in (*trained, *untrained)[0]["attacks"]]
    figure = Figure(figsize=(11, 2.2 * len(attacks) + 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    *panels, last = figure.subplots(len(attacks) + 1, 1, height_ratios=[1] * len(attacks) + [1.3])
    for index, (axis, name) in enumerate(zip(panels, attacks, strict=True)):
        for shift, colour, (key, label) in zip((-0.12, 0.12), ("C0", "C1"), MEASURES.items(), strict=True):
            values = [row["attacks"][index][key]["difference_percent"] for row in trained]
            _whiskers(axis, [place + shift for place in range(len(trained))], values, color=colour, label=label)
        _goal_lines(axis)
        axis.set(title=f"{name}: bfloat16 against float32, %", xlim=(-0.5, max(len(trained), 1) - 0.5))
        axis.set_xticks(range(len(trained)), [""] * len(trained))
    names = [row["name"].replace("-resnet10t", "") for row in trained]
    panels[-1].set_xticks(range(len(trained)), names, rotation=30, ha="right", fontsize=8)
    panels[0].legend(**_BESIDE)
    for rows, mark, kind in ((trained, "o", "trained"), (untrained, "s", "untrained")):
        for index, name in enumerate(attacks):
            agreements = [100 * row["sign_agreement"] for row in rows]
            values = [row["attacks"][index]["log_ratio"]["difference_percent"] for row in rows]
            _whiskers(last, agreements, values, fmt=mark, color=f"C{index}", label=f"{name}, {kind}")
    _goal_lines(last)
    last.axvline(_GUARD, color="black", linestyle=":", linewidth=1)
    last.set(title="mean log loss ratio, %, by agreement", xlabel="equal gradient signs, %; dotted: asked for by auto")
    last.legend(**_BESIDE)
    save_figure(figure, path, dpi=110)


def _whiskers(
    axis: Any, x: Sequence[float], values: Sequence[dict[str, Any]], *, color: str, label: str, fmt: str = "o"
) -> None:
    """Values with their intervals; undefined ones are left out."""
    points = [(a, v["value"], v["low"], v["high"]) for a, v in zip(x, values, strict=True) if v["low"] is not None]
    if points:
        places, middles, lows, highs = zip(*points, strict=True)
        axis.vlines(places, lows, highs, colors=color, linewidth=1)
        axis.plot(places, middles, fmt, color=color, markersize=4, label=label)


def _goal_lines(axis: Any) -> None:
    for level in (-GOAL, GOAL):
        axis.axhline(level, color="black", linewidth=0.8, linestyle="--")
    axis.axhline(0, color="grey", linewidth=0.6)
    axis.grid(alpha=0.3)

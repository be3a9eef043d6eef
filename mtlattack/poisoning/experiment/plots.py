"""Pictures of an experiment: damage against budget, and the task correlations before and after."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtlattack.figures import save_figure
from mtlattack.poisoning.budget import Mode
from mtlattack.poisoning.experiment.plan import Plan
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.metrics import HEADLINE
from mtlattack.poisoning.tasks import TaskSet
from mtlattack.wording import counted

_STYLES = {Mode.DIRECT: "-", Mode.INDIRECT: "--", Mode.MIXED: "-."}
_COLOURS = {"patom": "C3", "random": "C0", "flip": "C1"}


def plot_budgets(plan: Plan, tasks: TaskSet, rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """The targets' error against the budget, a line a method and mode; one panel more a defence."""
    filters = [None, *rows[0]["defended"]]
    figure = Figure(figsize=(4.6 * len(filters) + 0.6, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(filters), squeeze=False, sharey=True)[0]
    for axis, name in zip(axes, filters, strict=True):
        clean = _error(rows[0], name)
        if clean.mean is not None:
            axis.axhline(clean.mean, color="black", linewidth=1, label="clean")
        lines: dict[tuple[str, str], list[tuple[float, Any]]] = {}
        for row in rows[1:]:
            lines.setdefault((row["method"], row["mode"]), []).append((row["budget"], _error(row, name)))
        for (method, mode), points in lines.items():
            x = [budget for budget, _ in sorted(points, key=lambda point: point[0])]
            found = [estimate for _, estimate in sorted(points, key=lambda point: point[0])]
            y = np.array([estimate.mean for estimate in found], np.float64)
            axis.plot(x, y, _STYLES[Mode(mode)], color=_COLOURS[method], marker=".", label=f"{method} {mode}")
            if all(estimate.low is not None for estimate in found):
                low, high = ([getattr(estimate, end) for estimate in found] for end in ("low", "high"))
                axis.fill_between(x, low, high, color=_COLOURS[method], alpha=0.12, linewidth=0)
        axis.set(title=name or "no defence", xlabel="injected, share of a task's points or points in all")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"{HEADLINE[tasks.kind].replace('_', ' ')} of targets")
    axes[0].legend(fontsize=8, frameon=False)
    figure.suptitle(f"{plan.data}: {counted(len(plan.seeds), 'split')}, bands: 95 % intervals", fontsize=10)
    return save_figure(figure, path, dpi=120, metadata={"Software": None})


def plot_correlations(panels: Mapping[str, Array], order: Sequence[int], targets: int, title: str, path: Path) -> Path:
    """Heat maps of task correlations `[T, T]`, one a panel; `order` puts the `targets` first, set off by lines."""
    figure = Figure(figsize=(3.4 * len(panels) + 0.8, 3.7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    image = None
    for axis, (name, values) in zip(axes, panels.items(), strict=True):
        image = axis.imshow(values[np.ix_(order, order)], cmap="RdBu_r", vmin=-1, vmax=1)
        for line in (axis.axhline, axis.axvline):
            line(targets - 0.5, color="black", linewidth=1)
        axis.set_title(name, fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    figure.colorbar(image, ax=list(axes), shrink=0.7)  # type: ignore[arg-type]
    figure.suptitle(f"{title}: task correlations, targets first", fontsize=10)
    return save_figure(figure, path, dpi=120, metadata={"Software": None})


def _error(row: Mapping[str, Any], defence: str | None) -> Any:
    return row["error"] if defence is None else row["defended"][defence]["error"]

"""Pictures of a record: how each task and the whole fall as ε grows."""

from collections import defaultdict
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtlattack.analysis.record import AttackResult, Record
from mtlattack.analysis.tables import headline, threat_text
from mtlattack.errors import InputError
from mtlattack.figures import save_figure
from mtlattack.tasks import task_from_config

_UNITS = {"linf": "ε · 255", "l0": "pixels", "patch": "share of the area, %"}
_STYLES = {"fgsm": ":", "bim": "-.", "pgd": "--", "mim": "-.", "apgd": "-"}


def plot_record(record: Record, path: Path) -> Path:
    """A panel a task (mean relative change) and one for the mean log loss ratio, against ε; one line an attack."""
    if not record.attacks:
        raise InputError(f"{record.model['name']}: a clean run has nothing to plot")
    names = [task_from_config(config).name for config in record.tasks]
    columns = (len(names) + 2) // 2
    figure = Figure(figsize=(4.2 * columns, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, columns, squeeze=False).ravel()
    curves: dict[str, list[AttackResult]] = defaultdict(list)
    for result in record.attacks:
        curves[result.name].append(result)
    colours = _colours([name.partition("-")[2] for name in curves])
    for axis, task in zip(axes, names, strict=False):
        for name, results in curves.items():
            points = [(_levels(r), 100 * change) for r in results if (change := r.task_change[task]) is not None]
            _line(axis, name, points, colours)
        axis.set(title=task, ylabel="relative change, %")
    for name, results in curves.items():
        known = [r for r in results if None not in (r.log_ratio.value, r.log_ratio.low, r.log_ratio.high)]
        points = [(_levels(r), float(r.log_ratio.value or 0)) for r in known]
        _line(axes[len(names)], name, points, colours)
        _band(axes[len(names)], known, colours[name.partition("-")[2]])
    axes[len(names)].set(title="all tasks", ylabel="mean log loss ratio")
    levels = sorted({_levels(result) for result in record.attacks})
    for axis in axes[: len(names) + 1]:
        axis.set_xlabel(_UNITS.get(record.attacks[0].norm, "ε"))
        axis.set_xscale("log", base=2)
        axis.set_xticks(levels, labels=[f"{level:g}" for level in levels], minor=False)
        axis.grid(alpha=0.3)
    for axis in axes[len(names) + 1 :]:
        axis.axis("off")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2 * columns, fontsize=8, frameon=False)
    figure.suptitle("\n".join(headline(record)), fontsize=10)
    return save_figure(figure, path, dpi=110)


def plot_damage(record: Record, path: Path) -> Path:
    """A heat map of attacks and tasks at the largest ε of each: the mean relative change of the task's metrics, %."""
    if not record.attacks:
        raise InputError(f"{record.model['name']}: a clean run has nothing to plot")
    names = [task_from_config(config).name for config in record.tasks]
    strongest = {result.name: result for result in sorted(record.attacks, key=lambda result: result.eps)}
    values = np.array([[_percent(r.task_change[name]) for name in names] for r in strongest.values()])
    rows = [f"{name} ({threat_text(r)})" for name, r in strongest.items()]
    figure = Figure(figsize=(2.2 + 0.07 * max(map(len, rows)) + 1.1 * len(names), 1.3 + 0.34 * len(rows)))
    figure.set_layout_engine("constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    # Losing all is the end of the scale: errors without bound would take it from everything else.
    axis.imshow(np.clip(values, -100, 0), cmap="magma", vmin=-100, vmax=0, aspect="auto")
    axis.set_xticks(range(len(names)), names)
    axis.set_yticks(range(len(rows)), rows)
    for (row, column), value in np.ndenumerate(values):
        text = "–" if np.isnan(value) else f"{value:.0f}"
        axis.text(column, row, text, ha="center", va="center", color="black" if value > -40 else "white", fontsize=9)
    axis.set_title(f"{record.model['name']}: relative change of the metrics, %", fontsize=10, parse_math=False)
    return save_figure(figure, path, dpi=110)


def _percent(change: float | None) -> float:
    return np.nan if change is None else 100 * change


def _line(axis: Axes, name: str, points: list[tuple[float, float]], colours: dict[str, str]) -> None:
    step, _, aggregator = name.partition("-")
    x, y = zip(*sorted(points), strict=True) if points else ((), ())
    axis.plot(x, y, _STYLES.get(step, "-"), color=colours[aggregator], marker=".", label=name, linewidth=1.3)


def _band(axis: Axes, results: list[AttackResult], colour: str) -> None:
    """The 95 % interval of the log loss ratio."""
    ordered = sorted(results, key=_levels)
    low, high = ([getattr(r.log_ratio, end) for r in ordered] for end in ("low", "high"))
    axis.fill_between([_levels(r) for r in ordered], low, high, color=colour, alpha=0.12, linewidth=0)


def _colours(aggregators: list[str]) -> dict[str, str]:
    return {name: f"C{i}" for i, name in enumerate(dict.fromkeys(aggregators))}


def _levels(result: AttackResult) -> float:
    return result.eps * {"linf": 255, "patch": 100}.get(result.norm, 1)

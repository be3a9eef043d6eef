"""Pictures of a record: how each task and the whole fall as ε grows."""

from collections import defaultdict
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtlattack.analysis.record import AttackResult, Record
from mtlattack.analysis.tables import headline
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
        points = [(_levels(r), r.log_ratio.value) for r in results if r.log_ratio.value is not None]
        _line(axes[len(names)], name, points, colours)
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


def _line(axis: Axes, name: str, points: list[tuple[float, float]], colours: dict[str, str]) -> None:
    step, _, aggregator = name.partition("-")
    x, y = zip(*sorted(points), strict=True) if points else ((), ())
    axis.plot(x, y, _STYLES.get(step, "-"), color=colours[aggregator], marker=".", label=name, linewidth=1.3)


def _colours(aggregators: list[str]) -> dict[str, str]:
    return {name: f"C{i}" for i, name in enumerate(dict.fromkeys(aggregators))}


def _levels(result: AttackResult) -> float:
    return result.eps * {"linf": 255, "patch": 100}.get(result.norm, 1)

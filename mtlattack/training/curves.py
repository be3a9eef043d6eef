"""The curves of a training run: one row an epoch, as CSV and as a picture."""

import csv
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtlattack.figures import save_figure
from mtlattack.files import whole_file
from mtlattack.tasks import TaskMap
from mtlattack.training.state import Row


def write_curves(rows: Sequence[Row], path: Path) -> Path:
    """All rows as CSV; a column that an epoch did not measure is empty there. Written whole or not at all."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with whole_file(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def plot_curves(rows: Sequence[Row], tasks: TaskMap, path: Path, title: str) -> Path:
    """A column a task: its losses over the epochs above, its first metric on the validation images below."""
    validated = any(column.startswith("validation.") for row in rows for column in row)
    height = 2 if validated else 1
    figure = Figure(figsize=(3.2 * len(tasks), 2.8 * height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(height, len(tasks), squeeze=False)
    for column, (name, task) in enumerate(tasks.items()):
        above = axes[0, column]
        for label, key in _losses(rows, name):
            above.plot(*_series(rows, key), marker=".", label=label)
        above.set(title=name, ylabel="loss")
        above.legend(fontsize=7, frameon=False)
        if validated:
            metric = task.metric_table[0]
            arrow = "↑" if metric.higher_is_better else "↓"
            axes[1, column].plot(*_series(rows, f"validation.{name}.{metric.name}"), marker=".", color="C3")
            axes[1, column].set(ylabel=f"{metric.name} {metric.unit} {arrow}".replace("  ", " "))
        axes[-1, column].set_xlabel("epoch")
    for axis in axes.ravel():
        axis.grid(alpha=0.3)
    figure.suptitle(title, fontsize=10)
    return save_figure(figure, path, dpi=110)


def _losses(rows: Sequence[Row], task: str) -> list[tuple[str, str]]:
    """What there is of a task's losses: label and column."""
    names = {
        "training": f"train.{task}",
        "training, adversarial": f"train.adversarial.{task}",
        "training, divergence": f"train.divergence.{task}",
        "validation": f"validation.{task}.loss",
    }
    return [(label, key) for label, key in names.items() if any(key in row for row in rows)]


def _series(rows: Sequence[Row], key: str) -> tuple[list[float], list[float]]:
    present = [row for row in rows if key in row]
    return [row["epoch"] for row in present], [row[key] for row in present]

"""Measured ratios beside their goals: as a table, as a picture, and with every raw number as JSON."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from timing import Spread

from mtlattack.devices import multiplies_bfloat16
from mtlattack.evaluation.environment import circumstances, numeric_environment
from mtlattack.figures import save_figure
from mtlattack.files import write_whole

_COLUMNS = 4


@dataclass(frozen=True)
class Goal:
    """A limit that a ratio should keep."""

    sign: Literal["≤", "≥"]
    limit: float

    def reached(self, value: float) -> bool:
        """Whether a measured value keeps the limit."""
        return value <= self.limit if self.sign == "≤" else value >= self.limit

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:g}"


@dataclass(frozen=True)
class Line:
    """One ratio of one case over the rounds; `base` says what 1 stands for, e.g. `41.2 ms`."""

    case: str
    ratio: str
    value: Spread
    base: str = ""
    goal: Goal | None = None

    def document(self) -> dict[str, Any]:
        """For the JSON file."""
        verdict = {"goal": str(self.goal), "reached": self.goal.reached(self.value.median)} if self.goal else {}
        return asdict(self.value) | verdict


def started(device: torch.device) -> dict[str, Any]:
    """What a benchmark runs on and under, read before it loads the machine itself."""
    return {
        "environment": numeric_environment(device) | {"multiplies_bfloat16": multiplies_bfloat16(device)},
        "circumstances": circumstances() | {"load_average": os.getloadavg()[0]},
    }


def show(title: str, lines: Sequence[Line]) -> None:
    """Print one row a ratio, the goal beside it."""
    table = Table(title=title)
    for column in ("case", "ratio"):
        table.add_column(column, no_wrap=True)
    for column in ("1 is", "median", "min–max", "goal"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        value = line.value
        spread = f"{value.low:.3f}–{value.high:.3f}" if value.low < value.high else ""
        verdict = ("", "")
        if line.goal:
            reached = line.goal.reached(value.median)
            verdict = (str(line.goal), "[green]reached[/green]" if reached else "[red]missed[/red]")
        last = following is None or following.case != line.case
        table.add_row(line.case, line.ratio, line.base, f"{value.median:.3f}", spread, *verdict, end_section=last)
    Console(width=None if Console().is_terminal else 140).print(table)


def plot(lines: Sequence[Line], path: Path) -> None:
    """A panel a ratio, a row a case: medians with min–max whiskers, the goals as strokes."""
    ratios, cases = (list(dict.fromkeys(names)) for names in zip(*((x.ratio, x.case) for x in lines), strict=True))
    columns = min(_COLUMNS, len(ratios))
    rows = -(-len(ratios) // columns)
    figure = Figure(figsize=(2 + 2.6 * columns, rows * (1.1 + 0.24 * len(cases))), layout="constrained")
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(rows, columns, sharey=True, squeeze=False).flat)
    for axis in panels:
        axis.set_visible(False)
    for axis, ratio in zip(panels, ratios, strict=False):
        axis.set_visible(True)
        for line in (line for line in lines if line.ratio == ratio):
            place, value = cases.index(line.case), line.value
            colour = "C0" if line.goal is None else "C2" if line.goal.reached(value.median) else "C3"
            whisker = [[value.median - value.low], [value.high - value.median]]
            axis.errorbar(value.median, place, xerr=whisker, fmt="o", markersize=4, capsize=2, color=colour)
            if line.goal:
                axis.plot([line.goal.limit] * 2, [place - 0.4, place + 0.4], color="black", linewidth=1.2)
        axis.set_title(ratio, fontsize=9)
        axis.set_yticks(range(len(cases)), cases, fontsize=8)
        axis.grid(axis="x", alpha=0.3)
    figure.axes[0].invert_yaxis()
    save_figure(figure, path, dpi=110)


def write_json(path: Path, benchmark: str, start: dict[str, Any], **content: Any) -> None:
    """Every raw number under the name of the benchmark, with what it ran on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"benchmark": benchmark, **start, **content}, indent=1) + "\n")

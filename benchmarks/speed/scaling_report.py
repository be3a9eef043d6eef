"""The results of `scaling.py`: their ratios, and the picture."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from report import Line
from timing import ratio
from workload import Case

from mtlattack.figures import save_figure

FLOOR, PGD, APGD, SEARCH16 = "floor", "pgd-dgba", "apgd-dgba", "pgd-dgba bf16"
Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Cell:
    """A place on an axis, the case there, and seconds an image and step of each contestant."""

    axis: str
    value: Any
    case: Case
    seconds: Seconds

    def lines(self) -> list[Line]:
        """Ratios to the floor."""
        floor = self.seconds[FLOOR]
        base = f"{1000 * median(floor):.2f} ms"
        others = {name: values for name, values in self.seconds.items() if name != FLOOR}
        case = f"{self.axis} {self.value}"
        return [Line(case, f"{name} / {FLOOR}", ratio(values, floor), base) for name, values in others.items()]

    def document(self) -> dict[str, Any]:
        """For the JSON file."""
        ratios = {line.ratio: line.document() for line in self.lines()}
        place = {"axis": self.axis, "value": self.value, "case": self.case.config()}
        return place | {"seconds_per_image_and_step": self.seconds, "ratios": ratios}


def plot(cells: list[Cell], path: Path) -> None:
    """An axis a column: milliseconds an image and step above, the ratio to the floor below; medians, log axes."""
    axes = list(dict.fromkeys(cell.axis for cell in cells))
    figure = Figure(figsize=(3.4 * len(axes), 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, len(axes), sharex="col", sharey="row", squeeze=False)
    for column, name in enumerate(axes):
        for contestant in (FLOOR, PGD, APGD, SEARCH16):
            here = [cell for cell in cells if cell.axis == name and contestant in cell.seconds]
            values = [cell.value for cell in here]
            own = [1000 * median(cell.seconds[contestant]) for cell in here]
            over = [ratio(cell.seconds[contestant], cell.seconds[FLOOR]).median for cell in here]
            panels[0, column].plot(values, own, "o-", markersize=4, label=contestant)
            panels[1, column].plot(values, over, "o-", markersize=4)
        values = [cell.value for cell in cells if cell.axis == name]
        for panel in panels[:, column]:
            panel.set_yscale("log")
            panel.yaxis.set_major_formatter("{x:g}")
            panel.yaxis.set_minor_formatter(_few_minor)
            panel.grid(alpha=0.3, which="both")
            if name != "network":
                panel.set_xscale("log", base=2)
                panel.set_xticks(values, [str(value) for value in values])
                panel.xaxis.set_minor_locator(NullLocator())
        panels[1, column].tick_params(axis="x", labelrotation=20 if name == "network" else 0)
        panels[1, column].set_xlabel(name)
    panels[0, 0].set_ylabel("ms an image and step")
    panels[1, 0].set_ylabel("ratio to the floor")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    save_figure(figure, path, dpi=110)


@FuncFormatter
def _few_minor(value: float, position: int | None = None) -> str:
    """Labels at 2 and 5 between the powers of ten."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""

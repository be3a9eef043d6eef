"""The results of `attack_step.py` as a table and as a picture."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from memory import FLOOR
from rich.table import Table
from timing import ATTACKS, Spread, Timing
from workload import Case

TIME_TARGET = 1.10
MEMORY_TARGET = 1.25
MEMORY_ATTACK = "apgd-dgba"


@dataclass(frozen=True)
class Result:
    """What was measured of one case; `memory` holds peak bytes of `FLOOR` and of `MEMORY_ATTACK`, if measured."""

    case: Case
    parameters: int
    timing: Timing
    memory: dict[str, int] | None

    @property
    def memory_ratio(self) -> float | None:
        """Peak of the attack over that of the floor."""
        return self.memory[MEMORY_ATTACK] / self.memory[FLOOR] if self.memory else None

    def ratios(self) -> dict[str, Spread]:
        """Every time ratio by what it compares; the second kind only where an attack has passes beside its steps."""
        ratios = {}
        for name in ATTACKS:
            ratios[f"{name} / floor"] = self.timing.against_floor(name)
            if self.timing.closing[name]:
                ratios[f"{name} / own passes"] = self.timing.against_passes(name)
        return ratios


def render(results: list[Result]) -> Table:
    """One row a ratio, the target beside it."""
    table = Table(title="One attack step against one forward and one input-gradient backward")
    for column in ("case", "ratio"):
        table.add_column(column, no_wrap=True)
    for column in ("floor", "median", "min–max", "target"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for result in results:
        floor = f"{1000 * median(result.timing.floor):.1f} ms"
        for title, ratio in result.ratios().items():
            spread = f"{ratio.low:.3f}–{ratio.high:.3f}"
            row = (result.case.title, title, floor, f"{ratio.median:.3f}", spread)
            table.add_row(*row, *_verdict(ratio.median, TIME_TARGET))
        if result.memory and result.memory_ratio:
            floor = f"{result.memory[FLOOR] / 2**20:.0f} MiB"
            row = (result.case.title, f"{MEMORY_ATTACK} peak memory", floor, f"{result.memory_ratio:.3f}", "")
            table.add_row(*row, *_verdict(result.memory_ratio, MEMORY_TARGET))
        table.add_section()
    return table


def plot(results: list[Result], path: Path) -> None:
    """Time ratios as medians with min–max whiskers, memory as points, the targets as lines."""
    with_memory = [result for result in results if result.memory]
    figure = Figure(figsize=(11 if with_memory else 7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2 if with_memory else 1, squeeze=False, width_ratios=[2, 1] if with_memory else [1])[0]
    names = list(results[0].ratios())
    for i, name in enumerate(names):
        spreads = [result.ratios()[name] for result in results]
        medians = [s.median for s in spreads]
        whiskers = [[s.median - s.low for s in spreads], [s.high - s.median for s in spreads]]
        places = [place + (i - (len(names) - 1) / 2) * 0.15 for place in range(len(results))]
        axes[0].errorbar(places, medians, whiskers, fmt="o", capsize=4, label=name)
    _finish(axes[0], results, TIME_TARGET, "time of a step / floor, median and min–max")
    if with_memory:
        ratios = [result.memory_ratio or 0 for result in with_memory]
        axes[1].plot(range(len(ratios)), ratios, "s", color="C4", label=MEMORY_ATTACK)
        _finish(axes[1], with_memory, MEMORY_TARGET, "peak memory / floor")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _finish(axis: Axes, results: list[Result], target: float, label: str) -> None:
    axis.axhline(target, color="black", linestyle="--", linewidth=1, label=f"target ≤ {target:.2f}")
    axis.axhline(1, color="grey", linewidth=0.8)
    axis.set_xticks(range(len(results)), [result.case.title.replace(" ", "\n") for result in results])
    axis.set(ylabel=label)
    axis.set_xlim(-0.5, len(results) - 0.5)
    axis.grid(axis="y", alpha=0.3)
    axis.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)


def _verdict(value: float, target: float) -> tuple[str, str]:
    return f"≤ {target:.2f}", "[green]reached[/green]" if value <= target else "[red]missed[/red]"

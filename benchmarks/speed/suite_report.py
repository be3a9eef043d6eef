"""The account of suite runs: its shares as lines of a table, as a picture, and as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ledger import Ledger
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from report import Goal, Line
from suite_sections import OUTSIDE, PASSES, outside
from timing import Spread

from mtlattack.figures import save_figure

GOAL = Goal("≤", 0.08)
_COLOURS = dict(
    zip((*PASSES, *OUTSIDE), ("#2b5c8a", "#9ec3e6", "#4a8cc7", *(f"C{i}" for i in range(1, 10))), strict=True)
)


def lines(title: str, ledgers: Sequence[Ledger]) -> list[Line]:
    """The share outside the passes first, then that of each section that took any time."""
    wall = f"{median(ledger.wall for ledger in ledgers):.2f} s"
    found = [
        Line(title, "outside passes / wall", Spread.of([outside(ledger.seconds) for ledger in ledgers]), wall, GOAL)
    ]
    for name in (*PASSES, *OUTSIDE):
        shares = [ledger.seconds.get(name, 0.0) / ledger.wall for ledger in ledgers]
        if any(shares):
            found.append(Line(title, f"{name} / wall", Spread.of(shares), wall))
    return found


def describe(ledgers: Sequence[Ledger], seconds: Sequence[float]) -> dict[str, Any]:
    """For the JSON file; `seconds` are the rounds as a clock outside the accounts has them."""
    return {
        "outside": lines("", ledgers)[0].document(),
        "wall_seconds": list(seconds),
        "rounds": [
            {"seconds": dict(ledger.seconds), "calls": dict(ledger.calls), "reading_ahead_seconds": dict(ledger.aside)}
            for ledger in ledgers
        ],
    }


def plot(accounts: Mapping[str, Sequence[Ledger]], path: Path) -> None:
    """A stacked bar a suite run, its median round: left all of the time, right what is outside the passes, enlarged."""
    figure = Figure(figsize=(10, 1.9 + 0.45 * len(accounts)), layout="constrained")
    FigureCanvasAgg(figure)
    whole, enlarged = figure.subplots(1, 2, sharey=True)
    for place, ledgers in enumerate(accounts.values()):
        typical = sorted(ledgers, key=lambda ledger: outside(ledger.seconds))[len(ledgers) // 2]
        _stack(whole, place, typical, (*PASSES, *OUTSIDE))
        _stack(enlarged, place, typical, OUTSIDE)
    whole.axvline(1 - GOAL.limit, color="black", linewidth=1)
    enlarged.axvline(GOAL.limit, color="black", linewidth=1)
    whole.set(title="share of wall time; line: the passes' least", xlim=(0, 1))
    enlarged.set(title="outside the passes; line: the goal")
    enlarged.set_xlim(right=max(1.1 * GOAL.limit, enlarged.get_xlim()[1]))
    whole.set_yticks(range(len(accounts)), list(accounts))
    whole.invert_yaxis()
    handles, labels = whole.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    save_figure(figure, path, dpi=110)


def _stack(axis: Any, place: int, ledger: Ledger, names: Sequence[str]) -> None:
    left = 0.0
    for name in names:
        share = ledger.seconds.get(name, 0.0) / ledger.wall
        axis.barh(place, share, left=left, color=_COLOURS[name], label=name)
        left += share

"""The results of `peers.py` as tables and as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from peer_attacks import CONTESTANTS, TIMED
from peer_measures import Strength, Timing
from rich.table import Table

from mtlattack.figures import save_figure

GOAL = {"time over ours": "≥ 1 for every peer", "summed loss, ours − theirs, APGD": "> 0 for every peer"}


def render_time(timings: Mapping[str, Timing]) -> Table:
    """One row a case and contestant; passes are forward+backward."""
    table = Table(title="Time of a whole attack")
    for column in ("case", "attack"):
        table.add_column(column, no_wrap=True)
    for column in ("passes", "ms", "a gradient", "over ours", "min–max"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for case, timing in timings.items():
        for contestant in TIMED:
            passes, milliseconds = timing.passes[contestant.name], 1000 * median(timing.seconds[contestant.name])
            cells = [case, contestant.name, str(passes), f"{milliseconds:.0f}", f"{milliseconds / passes.backward:.1f}"]
            if not contestant.ours:
                ratio = timing.over_ours(contestant)
                cells += [f"{ratio.median:.3f}", f"{ratio.low:.3f}–{ratio.high:.3f}", _verdict(ratio.median >= 1)]
            table.add_row(*cells)
        table.add_section()
    return table


def render_strength(strength: Strength) -> Table:
    """One row a contestant, then one for each of ours against each of theirs; in units of the mean clean loss."""
    table = Table(title=f"Summed loss at equal gradient passes, {len(strength.clean)} images, clean = 1")
    table.add_column("attack", no_wrap=True)
    for column in ("mean", "95 %"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for contestant in CONTESTANTS:
        table.add_row(contestant.name, f"{strength.relative(contestant):.3f}")
    table.add_section()
    for ours, theirs, lead in strength.leads():
        name = f"{ours.name} − {theirs.name}"
        table.add_row(name, f"{lead.value:+.3f}", f"{lead.low:+.3f} to {lead.high:+.3f}", _compare(lead.low, lead.high))
    return table


def plot(timings: Mapping[str, Timing], strength: Strength, path: Path) -> None:
    """Left, each peer's time over ours as median with min–max; right, ours − theirs in loss with its interval."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    timed = [contestant for contestant in TIMED if not contestant.ours]
    for i, (case, timing) in enumerate(timings.items()):
        spreads = [timing.over_ours(contestant) for contestant in timed]
        medians = [spread.median for spread in spreads]
        whiskers = [[s.median - s.low for s in spreads], [s.high - s.median for s in spreads]]
        places = [place + (i - (len(timings) - 1) / 2) * 0.2 for place in range(len(spreads))]
        left.errorbar(places, medians, whiskers, fmt="o", capsize=4, label=case)
    left.legend(fontsize=8, frameon=False)
    _finish(left, [c.name for c in timed], 1, "time / ours\n(above 1: ours is faster)")
    _plot_leads(right, strength)
    save_figure(figure, path, dpi=110)


def _plot_leads(axis: Axes, strength: Strength) -> None:
    """One colour for each of ours, a place for each of theirs."""
    leads = strength.leads()
    rivals = list(dict.fromkeys(theirs.name for _, theirs, _ in leads))
    for i, name in enumerate(dict.fromkeys(ours.name for ours, _, _ in leads)):
        mine = [(rivals.index(theirs.name), lead) for ours, theirs, lead in leads if ours.name == name]
        places = [place + 0.15 * (i - 1) for place, _ in mine]
        whiskers = [[lead.value - lead.low for _, lead in mine], [lead.high - lead.value for _, lead in mine]]
        axis.errorbar(
            places, [lead.value for _, lead in mine], whiskers, fmt="s", capsize=4, color=f"C{i + 4}", label=name
        )
    axis.legend(fontsize=8, frameon=False)
    _finish(axis, rivals, 0, "summed loss: ours − theirs, clean = 1\n(above 0: ours is stronger)")


def _finish(axis: Axes, names: Sequence[str], parity: float, label: str) -> None:
    axis.axhline(parity, color="black", linestyle="--", linewidth=1)
    axis.set_xticks(range(len(names)), [name.replace(" ", "\n", 2) for name in names])
    axis.set(ylabel=label)
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.grid(axis="y", alpha=0.3)


def _verdict(reached: bool) -> str:
    return "[green]reached[/green]" if reached else "[red]missed[/red]"


def _compare(low: float, high: float) -> str:
    if low > 0:
        return "[green]ours stronger[/green]"
    return "[red]theirs stronger[/red]" if high < 0 else "no difference seen"

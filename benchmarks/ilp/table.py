"""The study as Markdown."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from measure import Row

GOAL_SPEEDUP = 40
_STAGES = ("rounded", "repaired", "restricted", "PuLP")


def markdown(rows: Sequence[Row], solver: str) -> str:
    """A line a program: median and largest gap after each stage, median seconds an image, ratio of medians."""
    head = [
        "model",
        "program",
        *(f"gap {stage}" for stage in _STAGES),
        "dual ms",
        "restricted s",
        f"{solver} s",
        "ratio",
    ]
    lines = [_line(head), "|" + "---|" * len(head)]
    for row in rows:
        lines.append(
            _line(
                [
                    f"{row.model}, T = {row.tasks}",
                    row.kind,
                    *(_gap(row.gaps.get(stage)) for stage in _STAGES),
                    f"{1000 * median(row.seconds_dual):.1f}",
                    _seconds(row.seconds_restricted, row.timeouts_restricted),
                    _seconds(row.seconds_pulp, row.timeouts),
                    f"{'≥ ' if row.timeouts else ''}{row.speedup:.0f}",
                ]
            )
        )
    return "\n".join(lines) + "\n"


def trade_off_markdown(found: dict[str, dict[str, Any]]) -> str:
    """A line a model: on how many images a task falls to first order, and the mean relative gain that max–min keeps."""
    head = ["model", "images", "dgba: a task falls on", "max–min: a task falls on", "mean gain of max–min over dgba's"]
    lines = [_line(head), "|" + "---|" * len(head)]
    for model, values in found.items():
        count = len(values["dgba_least"])
        falls = [sum(least < 0 for least in values[f"{name}_least"]) for name in ("dgba", "maxmin")]
        kept = [a / b for a, b in zip(values["maxmin_mean"], values["dgba_mean"], strict=True) if b > 0]
        lines.append(_line([model, str(count), str(falls[0]), str(falls[1]), f"{median(kept):.2f}" if kept else "–"]))
    return "\n".join(lines) + "\n"


def verdict(rows: Sequence[Row]) -> list[str]:
    """Which goals are met, in median over a program's images."""
    lines = []
    for row in rows:
        budgeted = row.kind.startswith("sparse")
        goal = 5e-3 if budgeted else 1e-3
        found = [f"gap {median(row.gaps['repaired']):.1e} (goal {goal:g})"]
        if "restricted" in row.gaps and budgeted:
            found.append(f"offline {median(row.gaps['restricted']):.1e} (goal 0.001)")
        found.append(f"{row.speedup:.0f} times as fast (goal {GOAL_SPEEDUP})")
        lines.append(f"{row.model}, {row.kind}: {', '.join(found)}")
    return lines


def _gap(values: Sequence[float] | None) -> str:
    return f"{median(values):.1e} (max {max(values):.1e})" if values else "–"


def _seconds(values: Sequence[float], timeouts: int) -> str:
    over = f" ({timeouts} out of time)" if timeouts else ""
    return f"{median(values):.2f}{over}" if values else "–"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"

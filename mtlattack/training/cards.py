"""Model cards: what a checkpoint is, what made it, and what it scores on the whole test split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlattack.models import MultiTaskNetwork
from mtlattack.training.recipes import Recipe


def card(
    recipe: Recipe,
    network: MultiTaskNetwork,
    path: Path,
    metrics: Mapping[str, Mapping[str, float | None]],
    facts: dict[str, Any],
) -> str:
    """The card of the checkpoint at `path` as Markdown; `metrics` by task are of the stored weights."""
    lines = [
        f"# {recipe.name}",
        "",
        f"`{path.name}`, {path.stat().st_size / 1e6:.2f} MB, {recipe.stored_dtype} on disk",
        "",
    ]
    lines += ["| task | metric | clean, test |", "|---|---|---|"]
    for task in network.tasks.values():
        for metric in task.metric_table:
            arrow = "↑" if metric.higher_is_better else "↓"
            number = metrics[task.name][metric.name]
            value = "undefined" if number is None else f"{number:.4f} {metric.unit}".strip()
            lines.append(f"| {task.name} | {metric.name} {arrow} | {value} |")
    lines += ["", "| fact | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    return "\n".join(lines) + "\n"

"""Model cards: what a checkpoint is, what made it, and what it scores on the whole test split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlattack.markdown import code, escape, table_lines
from mtlattack.models import MultiTaskNetwork
from mtlattack.training.recipes import Recipe

Metrics = Mapping[str, Mapping[str, float | None]]


def card(
    recipe: Recipe, network: MultiTaskNetwork, path: Path, clean: Metrics, attacked: Metrics, facts: dict[str, Any]
) -> str:
    """The card of the checkpoint at `path` as Markdown; metrics by task, of the stored weights, on the test split.

    `facts` are Markdown already.
    """
    lines = [
        f"# {escape(recipe.name)}",
        "",
        f"{code(path.name)}, {path.stat().st_size / 1e6:.2f} MB, {recipe.stored_dtype} on disk",
        "",
    ]
    rows = []
    for task in network.tasks.values():
        for metric in task.metric_table:
            arrow = "↑" if metric.higher_is_better else "↓"
            values = [_value(metrics[task.name][metric.name], metric.unit) for metrics in (clean, attacked)]
            rows.append([escape(task.name), escape(f"{metric.name} {arrow}"), *values])
    lines += table_lines(["task", "metric", "clean", "attacked"], rows)
    lines += ["", *table_lines(["fact", "value"], [[name, str(value)] for name, value in facts.items()])]
    return "\n".join(lines) + "\n"


def _value(number: float | None, unit: str) -> str:
    return "undefined" if number is None else f"{number:.4f} {unit}".strip()

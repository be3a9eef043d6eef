"""The zoo as a Markdown table."""

from typing import Any

from mtlattack.tasks import Task

Row = dict[str, Any]


def table(rows: list[Row], tasks: list[Task]) -> str:
    """One line a model: each task's headline metric as `clean → attacked`, and the mean log loss ratio."""
    heads = [f"{task.heading} {task.headline_metric.title}" for task in tasks]
    lines = [
        "| model | sharing degree | trained on | parameters | MB | " + " | ".join(heads) + " | log loss ratio ↓ |",
        "|---|---|---|---|---|" + "---|" * len(tasks) + "---|",
    ]
    for row in sorted(rows, key=lambda row: (-row["degree"], row["training"] != "clean", row["training"])):
        cells = [
            f"`{row['name']}`",
            f"{row['degree']:.2f}",
            row["training"],
            f"{row['parameters'] / 1e6:.2f} M",
            f"{row['bytes'] / 1e6:.2f}",
            *(change(row, task) for task in tasks),
            interval(row["log_ratio"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def change(row: Row, task: Task) -> str:
    """A task's headline metric, clean and attacked: shares and angles with one digit behind the point, else three."""
    form = "{:.1f}" if task.headline_metric.unit in ("%", "°") else "{:.3f}"
    return " → ".join(form.format(row[kind][task.name][task.headline]) for kind in ("clean", "attacked"))


def interval(values: dict[str, float]) -> str:
    """A number with its 95 % interval."""
    return f"{values['value']:.2f} [{values['low']:.2f}, {values['high']:.2f}]"

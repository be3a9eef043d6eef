"""The zoo as a Markdown table."""

from typing import Any

Row = dict[str, Any]
HEADLINES = {
    "segmentation": ("miou", "mIoU % ↑", "{:.1f}"),
    "depth": ("rel_error", "depth rel ↓", "{:.3f}"),
    "normals": ("angle_mean", "normals ° ↓", "{:.1f}"),
    "edge_texture": ("l1", "edges l1 ↓", "{:.3f}"),
    "keypoints2d": ("l1", "keypoints l1 ↓", "{:.3f}"),
}


def table(rows: list[Row]) -> str:
    """One line a model: each task's first metric as `clean → attacked`, and the mean log loss ratio."""
    tasks = list(rows[0]["clean"])
    heads = [HEADLINES[task][1] for task in tasks]
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


def change(row: Row, task: str) -> str:
    """A task's first metric, clean and attacked."""
    metric, _, form = HEADLINES[task]
    return " → ".join(form.format(row[kind][task][metric]) for kind in ("clean", "attacked"))


def interval(values: dict[str, float]) -> str:
    """A number with its 95 % interval."""
    return f"{values['value']:.2f} [{values['low']:.2f}, {values['high']:.2f}]"

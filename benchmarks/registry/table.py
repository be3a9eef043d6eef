"""The matrix as Markdown: one table a model, one row an aggregator, PGD and APGD beside each other."""

from collections.abc import Sequence
from typing import Any

from strength import AGGREGATES, strongest

Row = dict[str, Any]
TITLES = {"loss_change": "loss change %", "log_ratio": "log loss ratio", "arp": "arp %", "worst": "worst task %"}
_PERCENT = {"loss_change", "arp", "worst"}


def markdown(document: dict[str, Any]) -> str:
    """A matrix or a list of step rules, strongest first by mean relative loss change under the last step rule."""
    make = _matrix if document["benchmark"].endswith("matrix") else _steps
    return make(document["attacks"])


def by_aggregator(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Rows by aggregator and step rule, the strongest aggregator first."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        step, _, aggregator = row["name"].partition("-")
        found.setdefault(aggregator, {})[step] = row
    return dict(sorted(found.items(), key=lambda item: -item[1]["apgd"]["loss_change"]["value"]))


def _matrix(rows: Sequence[Row]) -> str:
    best = {key: strongest(list(rows), key)["name"] for key in AGGREGATES}
    head = ["aggregator", "steps"] + [f"{TITLES[key]}: pgd | apgd" for key in AGGREGATES] + ["apgd − apgd-dgba, loss %"]
    lines = [" | ".join(head), "|".join("---" for _ in "|".join(head).split("|"))]
    for aggregator, pair in by_aggregator(rows).items():
        cells = [f"`{aggregator}`", str(pair["apgd"]["config"]["steps"])]
        cells += [_cell(pair[step], key, best) for key in AGGREGATES for step in ("pgd", "apgd")]
        lines.append(" | ".join([*cells, _interval(pair["apgd"]["loss_change_difference"], "loss_change")]))
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def _steps(rows: Sequence[Row]) -> str:
    best = {key: strongest(list(rows), key)["name"] for key in AGGREGATES}
    head = ["attack", "passes", *(TITLES[key] for key in AGGREGATES), "− apgd-dgba, loss %"]
    lines = [" | ".join(head), "|".join("---" for _ in head)]
    for row in sorted(rows, key=lambda row: -row["loss_change"]["value"]):
        cells = [f"`{row['name']}`", f"{row['forward_passes']}+{row['backward_passes']}"]
        cells += [_cell(row, key, best) for key in AGGREGATES]
        lines.append(" | ".join([*cells, _interval(row["loss_change_difference"], "loss_change")]))
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def _cell(row: Row, key: str, best: dict[str, str]) -> str:
    text = _interval(row[key], key)
    return f"**{text}**" if best[key] == row["name"] else text


def _interval(values: dict[str, float | None], key: str) -> str:
    if values["value"] is None:
        return "–"
    form = "{:.0f}" if key in _PERCENT else "{:.2f}"
    times = 100 if key in _PERCENT else 1
    value, low, high = (form.format(times * (values[part] or 0)) for part in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"

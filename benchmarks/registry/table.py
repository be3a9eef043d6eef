"""Results as Markdown: the matrix with a row an aggregator, lists of step rules, `standard` with its rivals."""

from collections.abc import Sequence
from typing import Any

from strength import AGGREGATES, strongest

Row = dict[str, Any]
TITLES = {"loss_change": "loss change %", "log_ratio": "log loss ratio", "arp": "arp %", "worst": "worst task %"}
_PERCENT = {"loss_change", "arp", "worst"}


def markdown(document: dict[str, Any]) -> str:
    """The table of one JSON file, strongest first by mean relative loss change (the matrix: under APGD)."""
    return _TABLES[document["benchmark"].partition("/")[2]](document)


def by_aggregator(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Rows by aggregator and step rule, the strongest aggregator first."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        step, _, aggregator = row["name"].partition("-")
        found.setdefault(aggregator, {})[step] = row
    return dict(sorted(found.items(), key=lambda item: -item[1]["apgd"]["loss_change"]["value"]))


def _matrix(document: dict[str, Any]) -> str:
    rows: list[Row] = document["attacks"]
    best = {key: strongest(rows, key)["name"] for key in AGGREGATES}
    head = ["aggregator", "steps"] + [f"{TITLES[key]}: pgd | apgd" for key in AGGREGATES] + ["apgd − apgd-dgba, loss %"]
    lines = [" | ".join(head), "|".join("---" for _ in "|".join(head).split("|"))]
    for aggregator, pair in by_aggregator(rows).items():
        cells = [f"`{aggregator}`", str(pair["apgd"]["config"]["steps"])]
        cells += [_cell(pair[step], key, best) for key in AGGREGATES for step in ("pgd", "apgd")]
        lines.append(" | ".join([*cells, _interval(pair["apgd"]["loss_change_difference"], "loss_change")]))
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def _steps(document: dict[str, Any]) -> str:
    rows: list[Row] = document["attacks"]
    best = {key: strongest(rows, key)["name"] for key in AGGREGATES}
    head = ["attack", "passes", *(TITLES[key] for key in AGGREGATES), "− apgd-dgba, loss %"]
    lines = [" | ".join(head), "|".join("---" for _ in head)]
    for row in sorted(rows, key=lambda row: -row["loss_change"]["value"]):
        cells = [f"`{row['name']}`", f"{row['forward_passes']}+{row['backward_passes']}"]
        cells += [_cell(row, key, best) for key in AGGREGATES]
        lines.append(" | ".join([*cells, _interval(row["loss_change_difference"], "loss_change")]))
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def _standard(document: dict[str, Any]) -> str:
    """Rivals in as many backward passes, then the members and what would be lost without each."""
    head = ["attack", "loss change %", "log loss ratio", "arp %", "worst task %", "standard's loss change over its"]
    lines = [" | ".join(head), "|".join("---" for _ in head)]
    for row in sorted(document["attacks"], key=lambda row: -row["loss_change"]["value"]):
        cells = [f"`{row['name']}`", *(_interval(row[key], key) for key in AGGREGATES)]
        over = row.get("standard_over_loss_change")
        lines.append(" | ".join([*cells, _numbers(over, 1, "{:.3f}") if over else ""]))
    lines += ["", "member | taken | adds to the loss change, % | to the worst task, %", "---|---|---|---"]
    for name, added in document["added"].items():
        cells = [f"`{name}`", f"{document['members'][name]['joint']:.0%}"]
        lines.append(" | ".join([*cells, *(_numbers(added[key], 100, "{:.2f}") for key in ("loss_change", "worst"))]))
    return "\n".join(f"| {line} |" if line else "" for line in lines) + "\n"


def _cell(row: Row, key: str, best: dict[str, str]) -> str:
    text = _interval(row[key], key)
    return f"**{text}**" if best[key] == row["name"] else text


def _interval(values: dict[str, float | None], key: str) -> str:
    return _numbers(values, *((100, "{:.0f}") if key in _PERCENT else (1, "{:.2f}")))


def _numbers(values: dict[str, float | None], times: float, form: str) -> str:
    if values["value"] is None:
        return "–"
    value, low, high = (form.format(times * (values[part] or 0)) for part in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


_TABLES = {"matrix": _matrix, "steps": _steps, "standard": _standard}

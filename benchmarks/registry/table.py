"""Results as Markdown: the matrix with a row an aggregator, lists of step rules, `standard` with its rivals."""

from collections.abc import Sequence
from typing import Any

from strength import strongest

from mtlattack.analysis.summaries import LOSS_CHANGE, SUMMARIES, Summary

Row = dict[str, Any]

# How `standard` is held against a rival, image by image the same; files of its version 2 lack the second.
PAIRED = {
    "standard_over_loss_change": "standard's loss change over its",
    "standard_minus_skill": "standard's skill minus its",
}


def markdown(document: dict[str, Any]) -> str:
    """The table of one JSON file, strongest first by mean relative loss change (the matrix: under APGD)."""
    return TABLES[document["benchmark"]](document)


def interval_text(values: dict[str, float | None], times: float, form: str) -> str:
    """A value and its interval, multiplied and formatted; a dash where it is undefined."""
    if values["value"] is None:
        return "–"
    value, low, high = (form.format(times * (values[part] or 0)) for part in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def by_aggregator(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Rows by aggregator and step rule, the strongest aggregator first."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        step, _, aggregator = row["name"].partition("-")
        found.setdefault(aggregator, {})[step] = row
    return dict(sorted(found.items(), key=lambda item: -item[1]["apgd"]["loss_change"]["value"]))


def measured(document: dict[str, Any]) -> list[Summary]:
    """Of the numbers that sum up an attack those that its rows have: files from before there was skill lack it."""
    return [summary for summary in SUMMARIES if summary.key in document["attacks"][0]]


def _matrix(document: dict[str, Any]) -> str:
    rows: list[Row] = document["attacks"]
    summaries = measured(document)
    best = {summary.key: strongest(rows, summary)["name"] for summary in summaries}
    head = [
        "aggregator",
        "steps",
        *(f"{summary.title}: pgd | apgd" for summary in summaries),
        "apgd − apgd-dgba, loss %",
    ]
    lines = [" | ".join(head), "|".join("---" for _ in "|".join(head).split("|"))]
    for aggregator, pair in by_aggregator(rows).items():
        cells = [f"`{aggregator}`", str(pair["apgd"]["config"]["steps"])]
        cells += [_cell(pair[step], summary, best) for summary in summaries for step in ("pgd", "apgd")]
        lines.append(" | ".join([*cells, _interval(pair["apgd"]["loss_change_difference"], LOSS_CHANGE)]))
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def _steps(document: dict[str, Any]) -> str:
    rows: list[Row] = document["attacks"]
    summaries = measured(document)
    best = {summary.key: strongest(rows, summary)["name"] for summary in summaries}
    head = ["attack", "passes", *(summary.title for summary in summaries), "− apgd-dgba, loss %"]
    lines = [" | ".join(head), "|".join("---" for _ in head)]
    for row in sorted(rows, key=lambda row: -row["loss_change"]["value"]):
        cells = [f"`{row['name']}`", f"{row['forward_passes']}+{row['backward_passes']}"]
        cells += [_cell(row, summary, best) for summary in summaries]
        lines.append(" | ".join([*cells, _interval(row["loss_change_difference"], LOSS_CHANGE)]))
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def _standard(document: dict[str, Any]) -> str:
    """Rivals in as many backward passes, then the members and what would be lost without each."""
    head = ["attack", *(summary.title for summary in SUMMARIES)]
    pairs = [pair for pair in PAIRED if any(pair in row for row in document["attacks"])]
    head += [PAIRED[pair] for pair in pairs]
    lines = [" | ".join(head), "|".join("---" for _ in head)]
    for row in sorted(document["attacks"], key=lambda row: -row["loss_change"]["value"]):
        cells = [f"`{row['name']}`", *(_interval(row[summary.key], summary) for summary in SUMMARIES)]
        cells += [interval_text(row[pair], 1, "{:.3f}") if pair in row else "" for pair in pairs]
        lines.append(" | ".join(cells))
    lines += [
        "",
        "member | taken | adds to the loss change, % | to the skill | to the worst task, %",
        "---|---|---|---|---",
    ]
    for name, added in document["added"].items():
        cells = [f"`{name}`", f"{document['members'][name]['joint']:.0%}"]
        cells += [interval_text(added["loss_change"], 100, "{:.2f}"), interval_text(added["skill"], 1, "{:.3f}")]
        lines.append(" | ".join([*cells, interval_text(added["worst"], 100, "{:.2f}")]))
    return "\n".join(f"| {line} |" if line else "" for line in lines) + "\n"


def _cell(row: Row, summary: Summary, best: dict[str, str]) -> str:
    text = _interval(row[summary.key], summary)
    return f"**{text}**" if best[summary.key] == row["name"] else text


def _interval(values: dict[str, float | None], summary: Summary) -> str:
    return interval_text(values, *((100, "{:.0f}") if summary.percent else (1, "{:.2f}")))


TABLES = {"registry/matrix": _matrix, "registry/steps": _steps, "registry/standard": _standard}

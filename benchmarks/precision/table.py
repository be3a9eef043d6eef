"""The study as a table, for the terminal and as Markdown, and its verdict."""

from collections.abc import Iterator, Sequence
from typing import Any

from compare import GOAL, MEASURES, Row, within_goal
from rich.markup import escape
from rich.table import Table

_COLUMNS = (
    "model",
    "equal signs",
    "attack",
    "log loss ratio",
    "difference %",
    "loss change %",
    "difference %",
    "time ratio",
)
_DIFFERENCES = (4, 6)


def render(title: str, rows: Sequence[Row]) -> Table:
    """A line an attack, a section a model; differences within the goal are green."""
    table = Table(title=title)
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in ("model", "attack") else "right", no_wrap=True)
    for row in rows:
        for attack, cells in _lines(row):
            for place, key in zip(_DIFFERENCES, MEASURES, strict=True):
                colour = "green" if within_goal(attack[key]) else "red"
                cells[place] = f"[{colour}]{escape(cells[place])}[/{colour}]"
            table.add_row(*cells)
        table.add_section()
    return table


def markdown(rows: Sequence[Row]) -> str:
    """The same lines."""
    head = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    return "\n".join([*head, *("| " + " | ".join(cells) + " |" for row in rows for _, cells in _lines(row))]) + "\n"


def verdict(rows: Sequence[Row]) -> list[str]:
    """On how many models the whole interval lies within the goal: by attack and measure, then all at once."""
    attacks = list(dict.fromkeys(attack["config"]["name"] for row in rows for attack in row["attacks"]))
    lines = []
    kept: list[Row] = list(rows)
    for name in attacks:
        for key, words in MEASURES.items():
            good = [row for row in rows if within_goal(_attack(row, name)[key])]
            kept = [row for row in kept if row in good]
            lines.append(f"{name}, {words}: interval within ±{GOAL:g} % on {len(good)} of {len(rows)} models")
    return [*lines, f"verdict: every interval within ±{GOAL:g} % on {len(kept)} of {len(rows)} models"]


def _attack(row: Row, name: str) -> dict[str, Any]:
    return next(attack for attack in row["attacks"] if attack["config"]["name"] == name)


def _lines(row: Row) -> Iterator[tuple[dict[str, Any], list[str]]]:
    for attack in row["attacks"]:
        log_ratio, loss_change = (attack[key] for key in MEASURES)
        yield (
            attack,
            [
                row["name"],
                f"{row['sign_agreement']:.1%}",
                attack["config"]["name"],
                _pair(log_ratio, 1, "{:.3f}"),
                _interval(log_ratio["difference_percent"]),
                _pair(loss_change, 100, "{:.1f}"),
                _interval(loss_change["difference_percent"]),
                f"{attack['time_ratio']:.2f}",
            ],
        )


def _pair(values: dict[str, Any], times: float, form: str) -> str:
    """Both values, float32 first."""
    return " → ".join("–" if values[k] is None else form.format(times * values[k]) for k in ("float32", "bfloat16"))


def _interval(values: dict[str, float | None]) -> str:
    if values["value"] is None or values["low"] is None:
        return "–"
    return f"{values['value']:+.2f} [{values['low']:+.2f}, {values['high']:+.2f}]"

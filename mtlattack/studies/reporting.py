"""A study for people: on the terminal and as Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from mtlattack.printing import Grid
from mtlattack.studies.study import Study, Table, Verdict

_COLOURS = {"holds": "green", "fails": "red", "undecided": "yellow"}


def render(study: Study, verdicts: Mapping[str, Verdict], tables: Sequence[Table]) -> RenderableType:
    """The tables, then of each claim what it says and what became of it."""
    parts: list[RenderableType] = []
    for table in tables:
        drawn = Grid(title=table.title)
        for index, column in enumerate(table.columns):
            drawn.add_column(column, "right" if index else "left")
        for row in table.rows:
            drawn.add_row(*row)
        parts += [drawn, Text()]
    for claim in study.claims:
        verdict = verdicts[claim.name]
        outcome = (verdict.outcome, f"bold {_COLOURS[verdict.outcome]}")
        parts.append(Text.assemble((f"{claim.name} ", "bold"), outcome, f": {claim.sentence}"))
        parts.append(Text(f"   {verdict.because}"))
    return Group(*parts)


def markdown(study: Study, verdicts: Mapping[str, Verdict], tables: Sequence[Table], pictures: Sequence[Path]) -> str:
    """Verdicts with their rules, tables and pictures, these by name."""
    lines = [f"# {study.name}: {study.summary}", "", study.paper, "", "| claim | verdict | because |", "|---|---|---|"]
    for claim in study.claims:
        verdict = verdicts[claim.name]
        lines.append(f"| {claim.name}: {claim.sentence} | **{verdict.outcome}** | {_cell(verdict.because)} |")
    lines += ["", "Rules, written before the first cell was measured:", ""]
    lines += [f"- {claim.name}: {claim.rule}" for claim in study.claims]
    for table in tables:
        lines += ["", f"## {table.title}", "", _line(table.columns), "|---" * len(table.columns) + "|"]
        lines += [_line(row) for row in table.rows]
    for picture in pictures:
        lines += ["", f"![{picture.stem}]({picture.name})"]
    return "\n".join(lines) + "\n"


def _line(texts: Sequence[str]) -> str:
    return "| " + " | ".join(map(_cell, texts)) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

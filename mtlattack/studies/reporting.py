"""A study for people: on the terminal and as Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from mtlattack.markdown import table_lines
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
    lines = [f"# {study.name}: {study.summary}", "", study.paper, ""]
    rows = []
    for claim in study.claims:
        verdict = verdicts[claim.name]
        rows.append([_cell(f"{claim.name}: {claim.sentence}"), f"**{verdict.outcome}**", _cell(verdict.because)])
    lines += [
        *table_lines(["claim", "verdict", "because"], rows),
        "",
        "Rules, written before the first cell was measured:",
        "",
    ]
    lines += [f"- {claim.name}: {claim.rule}" for claim in study.claims]
    for table in tables:
        rows = [[*map(_cell, row)] for row in table.rows]
        lines += ["", f"## {table.title}", "", *table_lines([*map(_cell, table.columns)], rows)]
    for picture in pictures:
        lines += ["", f"![{picture.stem}]({picture.name})"]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Texts of ours, with names of ours: only a bar is to be no end of a cell."""
    return text.replace("|", "\\|")

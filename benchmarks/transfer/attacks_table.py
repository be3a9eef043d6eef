"""Tables from the JSON of attacks.py, written into the sections of attacks.md beside it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mtlattack.cli.script import run_script
from mtlattack.files import write_section

Rows = dict[str, Any]
GROUPS = ("plain", "trained")
REFERENCES = ("mim", "apgd")


def main(
    document: Annotated[Path, typer.Argument(help="JSON file of attacks.py.")],
    readme: Annotated[Path | None, typer.Option(help="File whose sections get the tables.")] = None,
) -> None:
    """Print the tables as Markdown: which attack helps where, and every number with its interval."""
    found = json.loads(document.read_text(encoding="utf-8"))
    results = sorted(found["results"], key=lambda each: (each["source"], -each["eps_255"]))
    sections = {"verdicts": _verdicts(results), "numbers": "\n".join(_numbers(results, found["options"]))}
    for name, text in sections.items():
        print(text)
        if readme:
            write_section(readme, name, "attacks_table.py", text)


def _verdicts(results: Sequence[Rows]) -> str:
    """By attack, source and ε whether the log loss ratio of the victims is above the references', below, or neither."""
    head = ["attack", *(f"{_title(each)}: plain / trained" for each in results)]
    lines = [head, ["---"] * len(head)]
    for label in results[0]["attacks"]:
        marks = [" / ".join(_marks(label, each["attacks"][label][group]) for group in GROUPS) for each in results]
        lines.append([f"`{label}`", *marks])
    return _table(lines)


def _title(result: Rows) -> str:
    return f"{result['source'].replace('-resnet10t', '')}, {result['eps_255']:g}/255"


def _marks(label: str, row: Rows) -> str:
    return "".join("·" if each == label else _sign(row[f"log_ratio_minus_{each}"]) for each in REFERENCES)


def _sign(difference: Rows) -> str:
    if difference["low"] > 0:
        return "+"
    return "−" if difference["high"] < 0 else "0"


def _numbers(results: Sequence[Rows], options: Rows) -> Iterator[str]:
    for each in results:
        attacks = each["attacks"]
        yield f"**{_title(each)}**\n"
        head = ["attack", "steps", "source itself"]
        head += [f"{group}{more}" for group in GROUPS for more in ("", " − mim", " − apgd", ", skill lost")]
        lines = [head, ["---"] * len(head)]
        best = {group: max(attacks, key=lambda k: attacks[k][group]["log_ratio"]["value"]) for group in GROUPS}  # noqa: B023
        for label, row in attacks.items():
            cells = [f"`{label}`", str(options[label].get("steps", "–")), _interval(row["white-box"]["log_ratio"])]
            for group in GROUPS:
                own = _interval(row[group]["log_ratio"])
                cells.append(f"**{own}**" if best[group] == label else own)
                for reference in REFERENCES:
                    cells.append("–" if reference == label else _interval(row[group][f"log_ratio_minus_{reference}"]))
                cells.append(_interval(row[group]["skill_lost"]))
            lines.append(cells)
        yield _table(lines)


def _interval(values: Rows) -> str:
    return f"{values['value']:.2f} [{values['low']:.2f}, {values['high']:.2f}]"


def _table(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    run_script(main)

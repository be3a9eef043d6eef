"""`standard` on every model against attacks in as many passes: one table of the files of standard.py; see README.md."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from table import interval_text

from mtlattack.cli.script import run_script
from mtlattack.files import write_section

Row = dict[str, Any]

HEAD = (
    "model",
    "images",
    "passes",
    "loss change %",
    "most of a single attack",
    "standard's over it",
    "skill",
    "least of a single attack",
    "standard's minus it",
    "worst task %",
    "worst of a single attack",
    "ahead in both",
)
PEERS = {"torchattacks-apgd": "AutoAttack's APGD (torchattacks)", "adv-lib-apgd": "adversarial-library's APGD"}


def main(
    documents: Annotated[list[Path], typer.Argument(help="JSON files of standard.py.")],
    readme: Annotated[Path | None, typer.Option(help="File whose section `standard-zoo` gets the tables.")] = None,
) -> None:
    """Print the tables as Markdown: the strongest single attack by each number, then the peers."""
    loaded = sorted((json.loads(path.read_text(encoding="utf-8")) for path in documents), key=_name)
    text = f"{_summary(loaded)}\n\n{_table(HEAD, [_line(document) for document in loaded])}\n{_peers(loaded)}"
    print(text)
    if readme:
        write_section(readme, "standard-zoo", "zoo.py", text)


def _summary(documents: Sequence[Row]) -> str:
    """On how many models some rival is ahead, its interval without a draw."""

    def beaten(ahead: Callable[[Row], bool]) -> int:
        return sum(any(map(ahead, document["attacks"][1:])) for document in documents)

    worse = 0
    for document in documents:
        standard, *rivals = document["attacks"]
        worse += any(row["worst"]["value"] < standard["worst"]["value"] for row in rivals)
    return (
        f"Of {len(documents)} models a single attack is ahead of `standard` by loss change on "
        f"{beaten(_ahead_by_loss)}, by skill on {beaten(_ahead_by_skill)}, by both at once on {beaten(_ahead_in_both)} "
        f"(95 % intervals that hold no draw), by the worst task on {worse}."
    )


def _line(document: Row) -> list[str]:
    """A model: the strongest rival by each number, and those that are ahead by loss change and skill at once."""
    standard, *rivals = document["attacks"]
    most = max(rivals, key=lambda row: row["loss_change"]["value"])
    least = min(rivals, key=lambda row: row["skill"]["value"])
    worst = min(rivals, key=lambda row: row["worst"]["value"])
    both = [row["name"] for row in rivals if _ahead_in_both(row)]
    return [
        f"`{_name(document)}`",
        str(document["data"]["images"]),
        str(document["backward_passes"]),
        f"{100 * standard['loss_change']['value']:.1f}",
        f"{100 * most['loss_change']['value']:.1f}, `{most['name']}`",
        interval_text(most["standard_over_loss_change"], 1, "{:.3f}"),
        f"{standard['skill']['value']:.4f}",
        f"{least['skill']['value']:.4f}, {_named(least, rivals)}",
        interval_text(least["standard_minus_skill"], 1, "{:.4f}"),
        f"{100 * standard['worst']['value']:.0f}",
        f"{100 * worst['worst']['value']:.0f}, `{worst['name']}`",
        ", ".join(f"`{name}`" for name in both) or "none",
    ]


def _named(least: Row, rivals: Sequence[Row]) -> str:
    """Its name, unless others leave as little."""
    alike = sum(row["skill"]["value"] == least["skill"]["value"] for row in rivals)
    return f"`{least['name']}`" if alike == 1 else f"{alike} of {len(rivals)} attacks"


def _peers(documents: Sequence[Row]) -> str:
    """How `standard`, and `apgd-relative` in as many passes, stand to other libraries' APGD by loss change."""
    lines = []
    for document in documents:
        rows = {row["name"]: row for row in document["attacks"]}
        ours = rows["apgd-relative"]["loss_change"]["value"]
        for peer in (rows[name] for name in PEERS if name in rows):
            lines.append([
                f"`{_name(document)}`",
                PEERS[peer["name"]],
                f"{100 * peer['loss_change']['value']:.1f}",
                interval_text(peer["standard_over_loss_change"], 1, "{:.3f}"),
                f"{ours / peer['loss_change']['value']:.3f}",
                interval_text(peer["standard_minus_skill"], 1, "{:.4f}"),
            ])  # fmt: skip
    head = (
        "model",
        "peer",
        "its loss change %",
        "standard's over it",
        "`apgd-relative`'s over it",
        "standard's skill minus its",
    )
    return _table(head, lines)


def _ahead_by_loss(row: Row) -> bool:
    """Whether it makes more loss than `standard`, its interval without 1."""
    return row["standard_over_loss_change"]["high"] < 1


def _ahead_by_skill(row: Row) -> bool:
    """Whether it leaves less skill than `standard`, its interval without 0."""
    return row["standard_minus_skill"]["low"] > 0


def _ahead_in_both(row: Row) -> bool:
    return _ahead_by_loss(row) and _ahead_by_skill(row)


def _name(document: Row) -> str:
    return document["model"]["name"]


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    run_script(main)

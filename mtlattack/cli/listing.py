"""`mtlattack list`: what there is, by name."""

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Annotated

import typer
from rich.console import Console

from mtlattack.analysis.tables import WIDTH
from mtlattack.attacks import list_criteria
from mtlattack.attacks.catalogue import Entry, describe_aggregators, describe_attacks, describe_steps
from mtlattack.data import list_datasets
from mtlattack.errors import UnknownNameError
from mtlattack.evaluation import list_suites
from mtlattack.models import list_layouts, list_models
from mtlattack.tasks import list_tasks
from mtlattack.training import list_recipes

_LISTS: dict[str, Callable[[str], list[str]]] = {
    "criteria": list_criteria,
    "models": list_models,
    "datasets": list_datasets,
    "suites": list_suites,
    "tasks": list_tasks,
    "layouts": list_layouts,
    "recipes": list_recipes,
}
_TABLES: dict[str, Callable[[str], list[Entry]]] = {
    "attacks": describe_attacks,
    "aggregators": describe_aggregators,
    "steps": describe_steps,
}
_KINDS = ("models", *_TABLES, "criteria", "datasets", "suites", "tasks", "layouts", "recipes")
# The attacks are hundreds: their lines end here.
_CUT = {"attacks": WIDTH}
_TITLES = ("name", "norms", "grad.", "targ.", "passes", "what it does")


def list_names(
    kind: Annotated[str, typer.Argument(help=", ".join(_KINDS))],
    pattern: Annotated[str, typer.Argument(help="Only names that match this glob.")] = "*",
) -> None:
    """List what there is, one name a line.

    For attacks, aggregators and steps the name is followed by norms, whether gradients are needed and a goal can be
    set, forward and backward passes for K steps and T tasks, and what it does; titles stand above on a terminal alone.
    """
    if kind not in _KINDS:
        raise UnknownNameError("kind of thing to list", kind, _KINDS)
    if kind in _TABLES:
        _print([astuple(entry) for entry in _TABLES[kind](pattern)], cut=_CUT.get(kind))
    else:
        for name in _LISTS[kind](pattern):
            print(name)


def _print(rows: Sequence[tuple[str, ...]], cut: int | None) -> None:
    """Aligned columns; what is longer than `cut` characters ends in an ellipsis."""
    widths = [max(len(row[column]) for row in [_TITLES, *rows]) for column in range(len(_TITLES) - 1)] + [0]
    for row in [_TITLES, *rows] if Console().is_terminal and rows else rows:
        line = " ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True))
        print(line if cut is None or len(line) <= cut else f"{line[: cut - 1]}…")

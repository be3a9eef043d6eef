"""`mtlattack list`: what there is, by name."""

from collections.abc import Callable
from typing import Annotated

import typer

from mtlattack.attacks import list_aggregators, list_attacks, list_steps
from mtlattack.data import list_datasets
from mtlattack.errors import UnknownNameError
from mtlattack.evaluation import list_suites
from mtlattack.models import list_layouts, list_models
from mtlattack.tasks import list_tasks
from mtlattack.training import list_recipes

_LISTS: dict[str, Callable[[str], list[str]]] = {
    "models": list_models,
    "attacks": list_attacks,
    "aggregators": list_aggregators,
    "steps": list_steps,
    "datasets": list_datasets,
    "suites": list_suites,
    "tasks": list_tasks,
    "layouts": list_layouts,
    "recipes": list_recipes,
}


def list_names(
    kind: Annotated[str, typer.Argument(help=", ".join(_LISTS))],
    pattern: Annotated[str, typer.Argument(help="Only names that match this glob.")] = "*",
) -> None:
    """List what there is, one name a line."""
    if kind not in _LISTS:
        raise UnknownNameError("kind of thing to list", kind, _LISTS)
    for name in _LISTS[kind](pattern):
        print(name)

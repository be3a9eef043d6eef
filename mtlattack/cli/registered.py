"""What there is by name, asked of the library itself, which loads all of it; and the index that does without.

`python -m mtlattack.cli.registered` writes the index anew.
"""

import json
from collections.abc import Callable
from dataclasses import astuple

from mtlattack.attacks import list_criteria
from mtlattack.attacks.catalogue import Entry, describe_aggregators, describe_attacks, describe_steps
from mtlattack.cli.index import EACH_TASK, INDEX, Index, registrations
from mtlattack.data import list_datasets
from mtlattack.evaluation import list_suites
from mtlattack.files import write_whole
from mtlattack.models import list_layouts, list_models
from mtlattack.studies import find_study, list_studies
from mtlattack.tasks import list_tasks
from mtlattack.training import list_recipes

_NAMES: dict[str, Callable[[str], list[str]]] = {
    "models": list_models,
    "criteria": list_criteria,
    "datasets": list_datasets,
    "suites": list_suites,
    "tasks": list_tasks,
    "layouts": list_layouts,
    "recipes": list_recipes,
}
_ENTRIES: dict[str, Callable[[str], list[Entry]]] = {
    "attacks": describe_attacks,
    "aggregators": describe_aggregators,
    "steps": describe_steps,
}


def registered(kind: str, pattern: str = "*") -> list[tuple[str, ...]]:
    """Of a kind of thing that `list` knows a row each that matches a glob: its name, and of attacks and their parts the
    rest of an `Entry`."""
    if kind in _ENTRIES:
        return [astuple(entry) for entry in _ENTRIES[kind](pattern)]
    return [(name,) for name in _NAMES[kind](pattern)]


def make_index() -> Index:
    """The index of what is registered now; of what is named with a task a row for all of them."""
    rows = {kind: [list(row) for row in registered(kind)] for kind in _NAMES if kind != "tasks"}
    first = list_tasks()[0]
    for kind in _ENTRIES:
        found = {row[0]: row for row in registered(kind)}
        rows[kind] = []
        for name, row in found.items():
            plain, colon, task = name.partition(":")
            if not colon:
                rows[kind].append(list(row))
            elif task == first:
                rows[kind].append([f"{plain}:{EACH_TASK}", *row[1:]])
    return {"registrations": registrations(), "rows": rows, "studies": describe_studies()}


def describe_studies() -> list[str]:
    """Lines that say of each study its name, where it is from, and its claims."""
    lines = []
    for study in map(find_study, list_studies()):
        lines += [f"{study.name}: {study.summary}", f"  {study.paper}; {study.cost}"]
        lines += [f"  {claim.name}: {claim.sentence}" for claim in study.claims]
    return lines


def index_text() -> str:
    """The index as JSON, a row a line."""
    index = make_index()
    kinds = [
        f"{json.dumps(kind)}: [\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"
        for kind, rows in index["rows"].items()
    ]
    studies = json.dumps(index["studies"], ensure_ascii=False, indent=0)
    rows = '"rows": {\n' + ",\n".join(kinds) + "\n}"
    return f'{{"registrations": "{index["registrations"]}",\n{rows},\n"studies": {studies}}}\n'


if __name__ == "__main__":
    write_whole(INDEX, index_text())

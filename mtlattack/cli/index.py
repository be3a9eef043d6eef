"""What there is by name, without loading torch: an index of it lies beside this file.

It is not used where it could be wrong: when the sources register other names than it was made of, or when this process
has loaded the library, so that anybody may have registered more. A test holds it against the library.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from mtlattack.errors import UnknownNameError
from mtlattack.registry import match_names
from mtlattack.studies import list_studies

INDEX = Path(__file__).with_name("index.json")
EACH_TASK = "{task}"
"""In the name of a row of the index: there is one such for each task. Tasks are read from the sources themselves."""
KINDS = (
    "models", "attacks", "aggregators", "steps", "criteria", "datasets", "suites", "tasks", "layouts", "recipes"
)  # fmt: skip
_PACKAGE = Path(__file__).parent.parent
_REGISTERING = ("attacks", "data")
# Once one of these is loaded anybody may have added to it.
_REGISTRIES = tuple(f"mtlattack.attacks.{room}" for room in ("aggregators", "criteria", "standalone", "steps"))
_SHIPPED = ("models/weights/*.safetensors", "evaluation/suites/*.toml", "training/recipes/*.toml")
_REGISTRATION = re.compile(r'\.register\("([^"]+)"\)')


class Index(TypedDict):
    """Rows by kind, each a name and what is said of it; the lines that say what studies there are; and the digest of
    the names that all of it was made of."""

    registrations: str
    rows: dict[str, list[list[str]]]
    studies: list[str]


def list_rows(kind: str, pattern: str = "*") -> list[tuple[str, ...]]:
    """A row for each of a kind of `KINDS` whose name matches a glob, in natural order: the name, and for attacks,
    aggregators and steps what an `attacks.catalogue.Entry` says."""
    # Attacks with a criterion are named only where a glob does.
    index = None if "+" in pattern else _read()
    if index is None:
        from mtlattack.cli.registered import registered

        return registered(kind, pattern)
    tasks = _registered_in("tasks")
    rows = index["rows"].get(kind) or [[EACH_TASK]]
    known = {name: (name, *rest) for template, *rest in rows for name in _each(template, tasks)}
    return [known[name] for name in match_names(list(known), pattern)]


def check_attacks(patterns: Sequence[str]) -> None:
    """UnknownNameError for the first of these names and globs that cannot be an attack's, whatever tasks a model has.

    Where the index does not tell it is left to those who know the model.
    """
    if _read() is None:
        return
    for pattern in patterns:
        plain, plus, criterion = pattern.partition("+")
        names = [name for name, *_ in list_rows("attacks")]
        before_tasks = {name.partition(":")[0] for name in names}
        if not match_names(names, plain) and not match_names(list(before_tasks), plain.partition(":")[0]):
            raise UnknownNameError("attack", pattern, names)
        criteria = [name for (name,) in list_rows("criteria")]
        if plus and not match_names(criteria, criterion):
            raise UnknownNameError("criterion", criterion, criteria)


def study_lines() -> list[str]:
    """What studies there are: of each its name, where it is from, and its claims."""
    index = _read()
    if index is None:
        from mtlattack.cli.registered import describe_studies

        return describe_studies()
    return index["studies"]


def registrations() -> str:
    """A digest of names: of all that the sources register but tasks, of studies, and of the files that ship."""
    names = list_studies()
    names += [name for room in _REGISTERING for name in _registered_in(room)]
    names += [path.name for pattern in _SHIPPED for path in _PACKAGE.glob(pattern)]
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def _read() -> Index | None:
    """The index; None where there is none, or one of other names, or where more may have been registered."""
    if not INDEX.is_file() or _more_may_be_known():
        return None
    index: Index = json.loads(INDEX.read_text(encoding="utf-8"))
    return index if index["registrations"] == registrations() else None


def _more_may_be_known() -> bool:
    return bool(os.environ.get("MTLATTACK_PLUGIN")) or not sys.modules.keys().isdisjoint(_REGISTRIES)


def _registered_in(room: str) -> list[str]:
    """The names that the sources of a room register."""
    sources = (_PACKAGE / room).rglob("*.py")
    return [name for path in sources for name in _REGISTRATION.findall(path.read_text(encoding="utf-8"))]


def _each(template: str, tasks: Sequence[str]) -> list[str]:
    return [template.replace(EACH_TASK, task) for task in tasks] if EACH_TASK in template else [template]

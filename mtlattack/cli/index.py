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

from mtlattack.registry import match_names

INDEX = Path(__file__).with_name("index.json")
EACH_TASK = "{task}"
"""In the name of a row of the index: there is one such for each task. Tasks are read from the sources themselves."""
KINDS = (
    "models", "attacks", "aggregators", "steps", "criteria", "datasets", "suites", "tasks", "layouts", "recipes"
)  # fmt: skip
_PACKAGE = Path(__file__).parent.parent
_REGISTERING = ("attacks", "data")
_SHIPPED = ("models/weights/*.safetensors", "evaluation/suites/*.toml", "training/recipes/*.toml")
_REGISTRATION = re.compile(r'\.register\("([^"]+)"\)')


class Index(TypedDict):
    """Rows by kind, each a name and what is said of it, and the digest of the names that they were made of."""

    registrations: str
    rows: dict[str, list[list[str]]]


def list_rows(kind: str, pattern: str = "*") -> list[tuple[str, ...]]:
    """A row for each of a kind of `KINDS` whose name matches a glob, in natural order: the name, and for attacks,
    aggregators and steps what an `attacks.catalogue.Entry` says."""
    # Attacks with a criterion are named only where a glob does.
    asked = "mtlattack.attacks" in sys.modules or "+" in pattern or os.environ.get("MTLATTACK_PLUGIN")
    index = None if asked else _read()
    if index is None:
        from mtlattack.cli.registered import registered

        return registered(kind, pattern)
    tasks = _registered_in("tasks")
    rows = index["rows"].get(kind) or [[EACH_TASK]]
    known = {name: (name, *rest) for template, *rest in rows for name in _each(template, tasks)}
    return [known[name] for name in match_names(list(known), pattern)]


def registrations() -> str:
    """A digest of the names that the sources register, but for tasks, and of the files that ship by name."""
    names = [name for room in _REGISTERING for name in _registered_in(room)]
    names += [path.name for pattern in _SHIPPED for path in _PACKAGE.glob(pattern)]
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def _read() -> Index | None:
    """The index; None where there is none, or one of other names."""
    if not INDEX.is_file():
        return None
    index: Index = json.loads(INDEX.read_text(encoding="utf-8"))
    return index if index["registrations"] == registrations() else None


def _registered_in(room: str) -> list[str]:
    """The names that the sources of a room register."""
    sources = (_PACKAGE / room).rglob("*.py")
    return [name for path in sources for name in _REGISTRATION.findall(path.read_text(encoding="utf-8"))]


def _each(template: str, tasks: Sequence[str]) -> list[str]:
    return [template.replace(EACH_TASK, task) for task in tasks] if EACH_TASK in template else [template]

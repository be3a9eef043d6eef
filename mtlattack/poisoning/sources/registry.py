"""Tables of related tasks by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mtlattack.errors import InputError
from mtlattack.poisoning.tasks import TaskSet
from mtlattack.registry import Registry

Reader = Callable[..., TaskSet]
"""A folder with the files as they are published, and options (text) by name → tasks as they are there."""

READERS: Registry[Reader] = Registry("table of tasks")


def read_tasks(name: str, folder: Path, options: Mapping[str, str] | None = None) -> TaskSet:
    """The tasks of a published table; UnknownNameError for a name that is none, InputError for files that are not what
    they should be and for an option that the table does not have."""
    reader = READERS.get(name)
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: {name} is read from its files as they are published")
    known = [key for key in reader.__annotations__ if key not in ("folder", "return")]
    for key in options or {}:
        if key not in known:
            raise InputError(f"{name} has no option {key!r}; it has {', '.join(known) or 'none'}")
    return reader(folder, **(options or {}))

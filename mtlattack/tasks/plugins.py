"""Modules of the user's that register kinds of task (or aggregators, steps, heads…), imported wherever tasks are."""

import importlib
import importlib.util
import os
import sys
from pathlib import Path

from mtlattack.errors import InputError

VARIABLE = "MTLATTACK_PLUGIN"
"""Names of modules or paths of .py files, separated as in PATH: every process that knows it has them."""


def load_plugins() -> None:
    """Import what the environment names, each once; InputError says what is wrong with one."""
    for place in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        _load(place)


def add_plugins(places: list[str]) -> None:
    """Import these too, here and in every process that this one starts."""
    known = [place for place in os.environ.get(VARIABLE, "").split(os.pathsep) if place]
    absolute = [str(Path(place).resolve()) if place.endswith(".py") else place for place in places]
    os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys([*known, *absolute]))
    load_plugins()


def _load(place: str) -> None:
    path = Path(place)
    name = path.stem if place.endswith(".py") else place
    if name in sys.modules:
        return
    try:
        if not place.endswith(".py"):
            importlib.import_module(name)
            return
        if not os.path.isfile(path):
            raise InputError("no such file")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # A model's factory in the same file must not register its kinds again.
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    except Exception as error:  # a user's module raises what it likes
        raise InputError(f"plugin {place!r}: {type(error).__name__}: {error}") from error

"""Benchmarks are scripts that no test runs: what they take from the library is there."""

import ast
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[1] / "benchmarks"


def taken(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each import from the library; without a name the module itself."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mtlattack":
            yield from ((str(node.module), name.name) for name in node.names)
        elif isinstance(node, ast.Import):
            yield from ((name.name, "") for name in node.names if name.name.split(".")[0] == "mtlattack")


def has(module: ModuleType, name: str) -> bool:
    """An attribute of it, or a module inside."""
    return hasattr(module, name) or (hasattr(module, "__path__") and find_spec(f"{module.__name__}.{name}") is not None)


@pytest.mark.parametrize("folder", sorted(path.name for path in SCRIPTS.iterdir() if path.is_dir()))
def test_what_is_imported_is_there(folder: str) -> None:
    missing = [
        f"{path.name}: {module}.{name}"
        for path in (SCRIPTS / folder).rglob("*.py")
        for module, name in taken(path)
        if name and not has(import_module(module), name)
    ]
    assert missing == []

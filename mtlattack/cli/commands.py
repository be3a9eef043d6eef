"""Groups of commands that are imported when they are called: their names and lines of help are known without."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class Deferred(TyperCommand):
    """A command, or a group of them, that is imported when it is run; until then it is a name and a line of help.

    `target` is `module:function`, or `module:app` for a `typer.Typer`.
    """

    def __init__(self, name: str, target: str, help: str) -> None:
        super().__init__(name, help=help)
        self._target = target

    def load(self) -> Any:
        """The command itself."""
        module, _, attribute = self._target.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            return typer.main.get_command(found)
        app = typer.Typer(add_completion=False)
        app.command(self.name)(found)
        return typer.main.get_command(app)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Of the command itself, which is then the one that is run."""
        return self.load().make_context(info_name, args, parent=parent, **extra)


def group_of(commands: Mapping[str, tuple[str, str]]) -> type[TyperGroup]:
    """A group's class for `typer.Typer(cls=…)`, given by name its commands' targets and lines of help."""

    class Group(TyperGroup):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.commands.update({name: Deferred(name, *found) for name, found in commands.items()})

    return Group

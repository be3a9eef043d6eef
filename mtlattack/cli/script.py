"""Scripts that use the library, as commands."""

import sys
from collections.abc import Callable

import typer

from mtlattack.errors import InputError


def run_script(main: Callable[..., None]) -> None:
    """Run `main` as a command, its parameters as options; a user's mistake is one line and exit code 2."""
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)

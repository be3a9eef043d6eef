"""What the scripts here share on the command line."""

import sys
from collections.abc import Callable

import typer

from mtlattack.errors import InputError


def run(main: Callable[..., None]) -> None:
    """Run `main` as a command; a user's mistake is one line and exit code 2."""
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def parse_size(text: str) -> tuple[int, int]:
    """Height and width from `120x160`."""
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) > 0 and int(width) > 0):
        raise InputError(f"size {text!r}, expected HEIGHTxWIDTH, e.g. 120x160")
    return int(height), int(width)

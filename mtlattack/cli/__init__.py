"""The command line: one file a command, thin."""

from mtlattack.cli.main import main

__all__ = ["main"]

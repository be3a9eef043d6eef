"""`mtlattack leaderboard`: one file a command."""

import typer

app = typer.Typer(no_args_is_help=True, help="Rows that anyone can check: submit, check, verify, show, build.")

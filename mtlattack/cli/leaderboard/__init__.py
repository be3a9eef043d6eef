"""`mtlattack leaderboard`: one file a command."""

import typer

from mtlattack.cli.commands import group_of

_HERE = "mtlattack.cli.leaderboard"
COMMANDS = {
    "submit": (
        f"{_HERE}.submit:submit_run",
        "Turn a finished run into the files of a pull request.",
    ),
    "status": (f"{_HERE}.status:set_status", "Add a line to the ledger: a row's status changes, the row never does."),
    "schema": (f"{_HERE}.schema:print_schema", "Print the JSON Schema of a row."),
    "show": (
        f"{_HERE}.show:show",
        "Print how the rows of each suite version stand against each other.",
    ),
    "build": (f"{_HERE}.build:build", "Write the board as static HTML, to be opened from disk or put on any server."),
    "check": (
        f"{_HERE}.check:check",
        "Check every row, its evidence and the ledger.",
    ),
    "verify": (f"{_HERE}.verify:verify", "Attack some images of a row again, and compare with its evidence."),
    "diff": (
        f"{_HERE}.diff:diff",
        "Print what two rows say differently.",
    ),
    "export": (f"{_HERE}.export:export", "Write every row with its status; as BibTeX those that count alone."),
}

app = typer.Typer(
    cls=group_of(COMMANDS),
    help="Rows that anyone can check: submit, check, verify, show, build.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def _group() -> None:
    """A group needs something that is its own."""

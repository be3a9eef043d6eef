"""`mtlattack`: commands, and one way to report a user's mistake."""

import sys

import typer
from rich.console import Console

from mtlattack.cli import data, listing, run, show, train
from mtlattack.errors import InputError

app = typer.Typer(
    name="mtlattack",
    help="How badly can a multi-task vision model be hurt? Attacks, evidence, and tables that compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("list")(listing.list_names)
app.command("show")(show.show)
app.command("train")(train.train_recipe)
app.add_typer(data.app, name="data")


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit code 2."""
    try:
        app()
    except InputError as error:
        message = " ".join(str(error).split())
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]error:[/red] {_plain(message)}")
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; what was measured is kept, the same command goes on from here", file=sys.stderr)
        sys.exit(130)


def _plain(text: str) -> str:
    """Brackets are not markup here."""
    return text.replace("[", r"\[")

"""`mtlattack`: commands, and one way to report a user's mistake."""

import sys

import typer
from rich.console import Console
from rich.text import Text

from mtlattack.cli import craft, data, layout, leaderboard, listing, merge, run, show, train
from mtlattack.errors import InputError

# Click's class, which typer brings in a place that depends on its version.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
_INTERRUPTED = 130

app = typer.Typer(
    name="mtlattack",
    help="How badly can a multi-task vision model be hurt? Attacks, evidence, and tables that compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("craft")(craft.craft)
app.command("judge")(craft.judge)
app.command("merge")(merge.merge_folders)
app.command("list")(listing.list_names)
app.command("show")(show.show)
app.command("train")(train.train_recipe)
app.command("layout")(layout.show_layout)
app.add_typer(data.app, name="data")
app.add_typer(leaderboard.app, name="leaderboard")


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit code 2."""
    try:
        # Not standalone: typer would print a box for a wrong option, and swallow an interrupt.
        code = app(standalone_mode=False)
    except InputError as error:
        code = _complain(str(error))
    except _UsageError as error:
        code = _complain(error.format_message())  # type: ignore[attr-defined]
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        print("stopped; what is finished is kept, the same command goes on from here", file=sys.stderr)
    sys.exit(code)


def _complain(message: str) -> int:
    """One line on standard error (none without a message: the help was printed instead), and the exit code."""
    if message:
        text = Text.assemble(("error:", "red"), " ", " ".join(message.split()))
        Console(stderr=True, highlight=False).print(text, soft_wrap=True)
    return 2

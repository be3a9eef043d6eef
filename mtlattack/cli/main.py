"""`mtlattack`: commands, and one way to report a user's mistake."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from mtlattack.cli.commands import group_of
from mtlattack.errors import InputError

# Click's class, which typer brings in a place that depends on its version.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
_INTERRUPTED = 130

# Nothing is imported before it is called: naming the commands takes neither torch nor timm.
COMMANDS = {
    "run": ("mtlattack.cli.run:run", "Attack a model and print how much each task lost."),
    "craft": ("mtlattack.cli.craft:craft", "Make the adversarial images of a run and keep them."),
    "judge": ("mtlattack.cli.craft:judge", "Measure what adversarial images do to a model, whoever made them."),
    "transfer": (
        "mtlattack.cli.transfer:transfer",
        "Say how attacks carry over: from task to task within a model, from layout to layout, from model to model.",
    ),
    "merge": ("mtlattack.cli.merge:merge_folders", "Make one run of its shards."),
    "campaign": (
        "mtlattack.cli.campaign:campaign",
        "Run all cells of a campaign, each into the folder that `mtlattack run` would make.",
    ),
    "list": ("mtlattack.cli.listing:list_names", "List what there is, one name a line."),
    "show": ("mtlattack.cli.show:show", "Print the results of finished runs, recomputed from their evidence."),
    "train": (
        "mtlattack.cli.train:train_recipe",
        "Train a recipe's network and write a checkpoint with its card.",
    ),
    "layout": (
        "mtlattack.cli.layout:show_layout",
        "Show a sharing layout: its name and number, its tree.",
    ),
    "data": ("mtlattack.cli.data:app", "Prepare, verify and preview data sets."),
    "leaderboard": ("mtlattack.cli.leaderboard:app", "Rows that anyone can check: submit, check, verify, show, build."),
}

app = typer.Typer(
    name="mtlattack",
    cls=group_of(COMMANDS),
    help="How badly can a multi-task vision model be hurt? Attacks, evidence, and tables that compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _group(
    plugin: Annotated[
        list[str] | None,
        typer.Option(help="Module or .py file that registers kinds of task or other parts; also $MTLATTACK_PLUGIN."),
    ] = None,
) -> None:
    if plugin:
        from mtlattack.tasks import add_plugins

        add_plugins(plugin)


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

"""`mtlattack`: its commands, by name."""

from typing import Annotated

import typer

from mtlattack.cli.commands import group_of

# Nothing is imported before it is called: naming the commands takes neither torch nor timm.
COMMANDS = {
    "run": ("mtlattack.cli.run:run", "Attack a model and print how much each task lost."),
    "craft": ("mtlattack.cli.craft:craft", "Make the adversarial images of a run and keep them."),
    "judge": ("mtlattack.cli.craft:judge", "Measure what adversarial images do to a model, whoever made them."),
    "transfer": (
        "mtlattack.cli.transfer:transfer",
        "Say how attacks carry over: from task to task within a model, from layout to layout, from model to model.",
    ),
    "poison": (
        "mtlattack.cli.poison:poison",
        "Poison the training data of related tasks (PATOM) and print how much worse the targets are learned.",
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
    "study": (
        "mtlattack.cli.study:study",
        "Test a paper's claims: a table, a picture and a verdict for each.",
    ),
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

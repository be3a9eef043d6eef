"""`mtlattack transfer`: adversarial images made once a source and judged on all victims."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from torch import nn

from mtlattack.analysis.transfer import Transfer
from mtlattack.analysis.transfer.tables import render
from mtlattack.analysis.transfer.writing import write_results
from mtlattack.attacks import Attack, create_attack, takes_steps
from mtlattack.cli import choosing
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.epsilon import check_written, default_written, in_image_units, parse_epsilons
from mtlattack.errors import InputError
from mtlattack.evaluation import transfer as between_models
from mtlattack.evaluation import transfer_between_tasks
from mtlattack.files import file_name
from mtlattack.locking import held
from mtlattack.models import list_models, resolve_model, resolve_source
from mtlattack.models.checkpoint_files import SUFFIX
from mtlattack.printing import print_parts, print_paths
from mtlattack.tasks import Model, Task, alone

# What a step rule is followed by where nobody says on which tasks: all of them, in proportion to their clean losses.
_ALL_TASKS = "relative"
# What carries over is little, and is not told from noise at 4.
_LINF_EPS = 8.0
Known = dict[str, tuple[str, Model]]
Load = Callable[[str], tuple[nn.Module, str]]


class Between(StrEnum):
    """What the rows and columns of a matrix are."""

    TASKS = "tasks"
    MODELS = "models"


def transfer(
    model: Annotated[
        list[str] | None,
        typer.Option(help="Source: zoo name or glob, .safetensors file, module:factory, ens:A+B, sgm:A, ghost:A."),
    ] = None,
    victim: Annotated[list[str] | None, typer.Option(help="Victim, as sources; default: the sources.")] = None,
    data: choosing.DataName = None,
    split: Annotated[str, typer.Option(help="Of the data.")] = "test",
    between: Annotated[
        Between | None, typer.Option(help="Default: tasks for one model without victims, else models.")
    ] = None,
    attack: Annotated[
        str, typer.Option(help="Step rule, as apgd; between models also a whole name, as pgd-dgba.")
    ] = "apgd",
    steps: Annotated[int, typer.Option(help="Of the attack, if it takes any.")] = 20,
    eps: Annotated[
        str | None, typer.Option(help="One number; l_inf in levels of 255, default 8; others as they are.")
    ] = None,
    norm: Annotated[str, typer.Option(help="Of the threat: linf, l2, l1, l0 or patch.")] = "linf",
    every: choosing.Every = None,
    limit: choosing.Limit = None,
    batch_size: choosing.BatchSize = "16",
    device: choosing.Device = None,
    seed: Annotated[int, typer.Option(help="Of the random starts.")] = 0,
    resize: Annotated[
        bool, typer.Option("--resize", help="Show images in its own size to a model that takes another.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder; default: transfers/<between>-<first model>.")] = None,
    fresh: choosing.Fresh = False,
) -> None:
    """Say how attacks carry over: from task to task within a model, from layout to layout, from model to model.

    A transfer that was stopped goes on where it was.
    """
    known: Known = {}
    sources = resolve(model or [], "--model", known, resolve_source)
    if not sources:
        raise InputError("no model to make images on; give one or more with --model")
    victims = resolve(victim, "--victim", known, resolve_model) if victim else None
    models: dict[str, Model] = {**sources, **(victims or {})}
    chosen = between or (Between.TASKS if len(models) == 1 and victims is None else Between.MODELS)
    if chosen is Between.TASKS and victims is not None:
        raise InputError("--victim goes with --between models: between tasks each model is its own victim")
    images = load_images(data or "rooms", split, {**(victims or {}), **models}.values(), every, limit)
    options = {"eps": _epsilon(eps, norm), "norm": norm, "seed": seed}
    size = choosing.size_of(batch_size, choosing.whole(batch_size) or 0)
    folder = out or Path("transfers") / file_name(f"{chosen}-{next(iter(sources))}")
    with held(folder):
        if chosen is Between.TASKS:
            if "-" in attack:
                raise InputError(f"--attack {attack!r} between tasks, expected a step rule as apgd: a task follows it")
            common = [t for t in images.tasks if all(t in each.tasks for each in models.values())]
            attacks = {task: _attack(f"{attack}-single:{task}", steps, options) for task in common}
            finished = transfer_between_tasks(
                models, images, attacks, path=folder, batch_size=size, device=device, resize=resize, fresh=fresh
            )
        else:
            name = attack if "-" in attack else f"{attack}-{_ALL_TASKS}"
            finished = between_models(
                sources, victims, images, _attack(name, steps, options), path=folder, batch_size=size,
                device=device, resize=resize, fresh=fresh,
            )  # fmt: skip
        _print(finished, folder)


def resolve(references: Iterable[str], option: str, known: Known, load: Load) -> dict[str, Model]:
    """The models that these mean, by the names they go by: a glob is all of the zoo that match, else `load` says.

    Each is loaded once: `known` holds by name what was typed for it and the model, and is added to. InputError for one
    that cannot be loaded, a glob that matches none, and a name of two models.
    """
    chosen: dict[str, Model] = {}
    for reference in references:
        is_file = reference.endswith(SUFFIX)
        is_glob = any(sign in reference for sign in "*?[") and not is_file and not set("/:") & set(reference)
        matches = list_models(reference) if is_glob else [reference]
        if not matches:
            raise InputError(f"{option} {reference!r} matches none of the models: {', '.join(list_models())}")
        for each in matches:
            loaded = {typed: (name, found) for name, (typed, found) in known.items()}
            if each not in loaded:
                found, name = load(each)
                if name in known:
                    raise InputError(f"{option} {each} and {known[name][0]} are both called {name!r}; rename one")
                known[name] = each, found  # type: ignore[assignment]
                loaded[each] = name, found  # type: ignore[assignment]
            name, model = loaded[each]
            chosen[name] = model
    return chosen


def load_images(
    data: str, split: str, models: Iterable[Model], every: int | None, limit: int | None
) -> PreparedDataset:
    """The images with what labels there are of what any of the models predicts; InputError where there are none."""
    labelled: dict[str, Task] = {}
    missing: InputError | None = None
    for model in models:
        for name, task in ((name, alone(task)) for name, task in model.tasks.items()):
            try:
                if name not in labelled:
                    load_dataset(data, split, tasks={name: task}, limit=1)
                    labelled[name] = task
            except InputError as error:
                missing = error
    if not labelled and missing is not None:
        raise missing
    return load_dataset(data, split, tasks=labelled, limit=limit, every=1 if every is None else every)


def _epsilon(text: str | None, norm: str) -> float:
    values = [_LINF_EPS if norm == "linf" else default_written(norm)] if text is None else parse_epsilons(text)
    if len(values) != 1:
        raise InputError(f"--eps {text!r}, expected one number: a matrix is of one threat")
    default_written(norm)  # UnknownNameError for a norm that there is not
    check_written(values[0], norm)
    choosing.say_doubts(values, norm)
    return in_image_units(values[0], norm)


def _attack(name: str, steps: int, options: dict[str, object]) -> Attack:
    counted = {"steps": steps} if takes_steps(name) else {}
    return create_attack(name, **options, **counted)  # type: ignore[arg-type]


def _print(finished: Transfer, folder: Path) -> None:
    """Keep record, table, pictures and page beside the evidence, and print the tables."""
    record = finished.record()
    written = write_results(record, folder)
    print_parts(render(record))
    print_paths(*written[:3])

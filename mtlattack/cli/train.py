"""`mtlattack train`: a recipe → a checkpoint, its card, and the curves of its training."""

from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from mtlattack.analysis.record import write_record
from mtlattack.attacks import create_attack
from mtlattack.cli.choosing import Fresh, say_doubts
from mtlattack.commit import describe_commit
from mtlattack.data import load_dataset
from mtlattack.epsilon import epsilon_text, in_image_units
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate
from mtlattack.files import set_aside, write_whole
from mtlattack.markdown import code, escape
from mtlattack.models import MultiTaskNetwork, layout_name, load_checkpoint, save_checkpoint
from mtlattack.models.tree import TreeNetwork
from mtlattack.schemas import validate
from mtlattack.training import Recipe, card, load_recipe, plot_curves, train, training_data, write_curves
from mtlattack.wording import counted

CARD_ATTACK = create_attack("apgd-dgba", eps=in_image_units(4, "linf"), steps=10)
"""What a card's attacked metrics are measured with: the suites' `apgd-dgba` at ε = 4/255."""
_CARD_EPS = epsilon_text(CARD_ATTACK.threat.eps, CARD_ATTACK.threat.norm)


def train_recipe(
    recipe: Annotated[str, typer.Argument(help="Recipe by name, or a TOML file.")],
    data: Annotated[str | None, typer.Option(help="Data set instead of the recipe's, by name or path.")] = None,
    adversarial: Annotated[str | None, typer.Option(help="Train against this attack, e.g. pgd-dgba.")] = None,
    eps: Annotated[float | None, typer.Option(help="Of adversarial training: levels of 255, or l_2.")] = None,
    start: Annotated[str | None, typer.Option(help="Start from: zoo name, checkpoint, imagenet.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's; the name then says so.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps; default: the best there is.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many training and test images.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that read and augment.", min=0)] = 1,
    out: Annotated[Path, typer.Option(help="Folder for all that it makes.")] = Path("models"),
    fresh: Fresh = False,
) -> None:
    """Train a recipe's network and write a checkpoint with its card.

    The network is scored on the whole test split, clean and attacked; evidence and record of that, and the curves of
    the training, lie beside it. A run that was stopped goes on after the last finished epoch.
    """
    chosen = change(load_recipe(recipe), adversarial=adversarial, eps=eps, start=start, seed=seed)
    if chosen.adversarial is not None:
        say_doubts([chosen.adversarial.eps], chosen.adversarial.norm)
    dataset = training_data(chosen, data, limit)
    # Opened before anything is spent: a data set without a test split gives no card.
    test = load_dataset(data or chosen.data, "test", tasks=dataset.tasks, limit=limit)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {out} ({error})") from None
    place = out / f"{chosen.name}.state.pt"
    if fresh:
        set_aside(out, [f"{chosen.name}.{end}" for end in ("state.pt", "curves.csv", "curves.png", "md")])
    state = train(chosen, place, data=data, limit=limit, device=device, workers=workers)
    write_curves(state.curves, out / f"{chosen.name}.curves.csv")
    plot_curves(state.curves, dataset.tasks, out / f"{chosen.name}.curves.png", chosen.name)
    fingerprint = state.identity["fingerprint"]
    provenance = {"recipe": chosen.model_dump(), "train_fingerprint": fingerprint, "images": len(dataset)}
    dtype = getattr(torch, chosen.stored_dtype)
    path = save_checkpoint(state.result, out, chosen.name, dtype=dtype, provenance=provenance)
    # Scored as it will be loaded: rounded to the stored type.
    network = load_checkpoint(path)
    # Kept under the checkpoint's hash: the same command again finds its numbers.
    evidence = evaluate(
        network,  # type: ignore[arg-type]
        test,
        [CARD_ATTACK],
        path=path.with_suffix(".evidence.h5"),
        name=chosen.name,
        device=device,
    )
    record = evidence.report().record
    write_record(path.with_suffix(".record.json"), record)
    facts = {
        "recipe": code(_command(recipe, data, adversarial, eps, start, seed, limit)),
        "training": escape(_describe(chosen)),
        "sharing": escape(_describe_sharing(network)),
        "parameters": record.model["parameters"],
        "training data": f"{escape(dataset.name)} train, {counted(len(dataset), 'image')}, "
        f"fingerprint `{fingerprint[:16]}`",
        "test data": f"{escape(test.name)} test, {counted(len(test), 'image')}, "
        f"fingerprint `{record.data['fingerprint'][:16]}`",
        "epochs": state.epoch,
        "seed": chosen.seed,
        "training time": f"{state.seconds / 60:.0f} min",
        "attack": f"{CARD_ATTACK.name}, l_inf, ε = {_CARD_EPS}, {CARD_ATTACK.config()['steps']} steps, seed 0",
        "code": escape(describe_commit()),
        "versions": ", ".join(f"{name} {version}" for name, version in record.environment["versions"].items()),
        "license": escape(chosen.license),
    }
    if state.not_deterministic:
        facts["not deterministic"] = ", ".join(map(code, state.not_deterministic))
    card_path = out / f"{chosen.name}.md"
    write_whole(card_path, card(chosen, network, path, record.clean, record.attacks[0].metrics, facts))
    print(f"{path}\n{card_path}")


def change(
    recipe: Recipe, *, adversarial: str | None, eps: float | None, start: str | None, seed: int | None
) -> Recipe:
    """The recipe with what the command line asks for otherwise, under a name that says so (but for `start`, which the
    card says). What an adversarial recipe says of its attack stays, where no option changes it. InputError for a value
    that does not fit."""
    fields: dict[str, Any] = recipe.model_dump(exclude_none=True)
    suffixes = []
    if eps is not None and adversarial is None and recipe.adversarial is None:
        raise InputError(f"--eps {eps:g} needs --adversarial: recipe {recipe.name} trains on clean images")
    if adversarial is not None or eps is not None:
        given = {"attack": adversarial, "eps": eps}
        changes = {key: value for key, value in given.items() if value is not None}
        fields["adversarial"] = fields.get("adversarial", {}) | changes
        suffixes += [f"at-{adversarial.replace(':', '-')}"] if adversarial else []
        suffixes += [f"eps{eps:g}"] if eps is not None else []
    if start is not None:
        fields["start"] = start
    if seed is not None and seed != recipe.seed:
        fields["seed"] = seed
        suffixes.append(f"seed{seed}")
    fields["name"] = ".".join([recipe.name, *suffixes])
    return validate(Recipe, fields, "recipe: ")


def _command(
    recipe: str, data: str | None, adversarial: str | None, eps: float | None, start: str | None, seed: int | None,
    limit: int | None,
) -> str:  # fmt: skip
    """The command line that made the card, files by their names alone: folders are the user's own."""
    files = {"data": data and Path(data).name, "start": start and Path(start).name}
    given = {**files, "adversarial": adversarial, "eps": eps, "seed": seed, "limit": limit}
    options = [f"--{name} {value}" for name, value in given.items() if value is not None]
    return " ".join(["mtlattack train", recipe, *options])


def _describe_sharing(network: MultiTaskNetwork) -> str:
    """The layout by name and the degree of sharing; what is no tree by its kind."""
    if not isinstance(network, TreeNetwork):
        return network.config.sharing
    return f"{layout_name(network.layout, list(network.tasks))}, sharing degree {network.layout.sharing_degree:.2f}"


def _describe(recipe: Recipe) -> str:
    """Clean or how adversarially, and from which weights."""
    text = "clean" if recipe.adversarial is None else recipe.adversarial.describe()
    return text if recipe.start is None else f"{text}; started from {Path(recipe.start).name}"

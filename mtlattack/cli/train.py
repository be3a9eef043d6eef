"""`mtlattack train`: a recipe → a checkpoint and its card."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from mtlattack.data import load_dataset
from mtlattack.evaluation import evaluate
from mtlattack.models import load_checkpoint, save_checkpoint
from mtlattack.training import card, load_recipe, train, training_data


def train_recipe(
    recipe: Annotated[str, typer.Argument(help="Recipe by name, or a TOML file.")],
    data: Annotated[str | None, typer.Option(help="Data set instead of the recipe's, by name or path.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many training and test images.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that read and augment.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for checkpoint, card and state.")] = Path("models"),
) -> None:
    """Train a recipe's network, score it on the whole test split, and write a checkpoint with its card.

    A run that was stopped goes on after the last finished epoch.
    """
    chosen = load_recipe(recipe)
    console = Console(highlight=False, soft_wrap=True)
    dataset = training_data(chosen, data, limit)
    out.mkdir(parents=True, exist_ok=True)
    state = train(
        chosen, out / f"{chosen.name}.state.pt", data=data, limit=limit, workers=workers, report=console.print
    )
    fingerprint = dataset.fingerprint()
    provenance = {"recipe": chosen.model_dump(), "train_fingerprint": fingerprint, "images": len(dataset)}
    dtype = getattr(torch, chosen.stored_dtype)
    path = save_checkpoint(state.network, out, chosen.name, dtype=dtype, provenance=provenance)
    # Scored as it will be loaded: rounded to the stored type.
    network = load_checkpoint(path)
    test = load_dataset(data or chosen.data, "test", tasks=network.tasks, limit=limit)
    record = evaluate(network, test, [], name=chosen.name).report().record  # type: ignore[arg-type]
    facts = {
        "recipe": f"`mtlattack train {recipe}`",
        "parameters": record.model["parameters"],
        "training data": f"{dataset.name} train, {len(dataset)} images, fingerprint `{fingerprint[:16]}`",
        "test data": f"{test.name} test, {len(test)} images, fingerprint `{record.data['fingerprint'][:16]}`",
        "epochs": state.epoch,
        "seed": chosen.seed,
        "training time": f"{state.seconds / 60:.0f} min",
        "versions": ", ".join(f"{name} {version}" for name, version in record.environment["versions"].items()),
        "license": chosen.license,
    }
    card_path = out / f"{chosen.name}.md"
    card_path.write_text(card(chosen, network, path, record.clean, facts))
    console.print(f"{path}\n{card_path}")

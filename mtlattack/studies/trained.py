"""Networks that a study trains itself, in the folder of the cell that needs them."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from mtlattack.data import PreparedDataset
from mtlattack.data.rooms_files import first_rooms
from mtlattack.models.network import MultiTaskNetwork
from mtlattack.studies.networks import load, spread
from mtlattack.studies.study import Cell
from mtlattack.training import Recipe, load_recipe, train

# Beside that of the shipped networks.
SEEDS = (1, 2, 3)


def reseeded_cells(study: str, models: Sequence[str], same: Mapping[str, Any]) -> list[Cell]:
    """A cell for each of these shipped networks of the rooms and each of `SEEDS`, with these settings."""
    size = {"train_images": 1024, "epochs": 5}
    return [
        Cell(study, f"{model}-seed{seed}", {"model": model, "seed": seed, **same, **size}, work=8 * same["images"])
        for model, seed in product(models, SEEDS)
    ]


def network_of(settings: Mapping[str, Any], folder: Path) -> tuple[MultiTaskNetwork, PreparedDataset]:
    """The network of a cell, shipped or trained there, and `spread` test images of its data set."""
    name = settings["model"]
    if "train_images" not in settings:
        return load(name, settings["images"])
    images = settings["train_images"]
    network = trained(reseeded(name, settings["seed"], settings["epochs"], images), images, folder)
    return network, spread(name.partition("-")[0], network.tasks, settings["images"])


def reseeded(model: str, seed: int, epochs: int, images: int) -> Recipe:
    """The recipe of a shipped network of the rooms with another seed and so many epochs, for so many images; an
    adversarial one begins from weights of the seed, not with a clean network, which would share another seed's."""
    recipe = load_recipe(model)
    size = {"epochs": epochs, "batch_size": min(recipe.batch_size, images)}
    return recipe.model_copy(update={"seed": seed, "start": None, "validation": None, **size})


def trained(recipe: Recipe, images: int, folder: Path) -> MultiTaskNetwork:
    """The network of a recipe for rooms in eval mode, trained on the first `images` by as much as is left to do."""
    folder.mkdir(parents=True, exist_ok=True)
    data = first_rooms("train", images, folder)
    state = train(recipe, folder / "state.pt", data=str(data), limit=images, device="cpu", workers=0, report=_nothing)
    return state.result.eval()


def _nothing(_line: str) -> None:
    pass

"""Networks that a study trains itself, in the folder of the cell that needs them."""

from pathlib import Path

from mtlattack.data.rooms_files import SPLIT_SIZES, rooms_file, write_rooms
from mtlattack.models.network import MultiTaskNetwork
from mtlattack.training import Recipe, load_recipe, train


def reseeded(model: str, seed: int, epochs: int, images: int) -> Recipe:
    """The recipe of a shipped network of the rooms with another seed and so many epochs, for so many images."""
    recipe = load_recipe(model)
    return recipe.model_copy(
        update={"seed": seed, "epochs": epochs, "batch_size": min(recipe.batch_size, images), "validation": None}
    )


def trained(recipe: Recipe, images: int, folder: Path) -> MultiTaskNetwork:
    """The network of a recipe for rooms in eval mode, trained on the first `images` by as much as is left to do."""
    folder.mkdir(parents=True, exist_ok=True)
    # So few are rendered sooner than the whole split is.
    few = images <= SPLIT_SIZES["test"]
    data = write_rooms(folder / "rooms.h5", "train", images) if few else rooms_file("train")
    state = train(recipe, folder / "state.pt", data=str(data), limit=images, device="cpu", workers=0, report=_nothing)
    return state.result.eval()


def _nothing(_line: str) -> None:
    pass

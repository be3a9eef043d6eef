"""Stage 1 of the vision study: trained here, of the zoo, or of ImageNet; and the oracle, which has no stages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlattack.models import MultiTaskNetwork, create_model
from mtlattack.representation.vision import source_recipe, with_foreign_head, with_imagenet_backbone, with_new_head
from mtlattack.studies.representation_vision.plan import IMAGENET
from mtlattack.tasks import Task
from mtlattack.training import Adversarial, Recipe, train

NETWORK = {
    "backbone": "resnet10t",
    "backbone_options": {"channels": [16, 24, 32, 48], "stem_width": 8},
    "output_stride": 8,
    "head_width": 16,
}
PRETRAINED = {
    "backbone": "tf_efficientnet_lite0",
    "output_stride": 32,
    "head_width": 16,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
}
# As in the recipes of the zoo: losses of these tasks are small.
WEIGHTS = {"normals": 2.0, "edge_texture": 8.0, "keypoints2d": 8.0}


def prepared_backbone(settings: Mapping[str, Any], data: Path, folder: Path) -> MultiTaskNetwork | None:
    """The network whose backbone gets new heads; None for ImageNet's, which comes without one."""
    if settings["kind"] == "own":
        sources = settings["sources"]
        options = {"epochs": settings["epochs"], **_options(sources, settings)}
        how = _adversarial(settings) if settings["stage1"] == "robust" else None
        recipe = source_recipe(str(data), sources, settings["targets"][0], NETWORK, how, **options)
        return _trained(recipe, folder / "stage1.pt")
    if settings["model"] == IMAGENET:
        return None
    network = create_model(settings["model"])
    assert isinstance(network, MultiTaskNetwork), "the zoo's are"
    return network


def grafted(settings: Mapping[str, Any], backbone: MultiTaskNetwork | None, target: Task) -> MultiTaskNetwork:
    """A network of the target alone, its head drawn by the cell's seed."""
    if backbone is None:
        return with_imagenet_backbone(PRETRAINED, target, settings["seed"])
    graft = with_new_head if settings["kind"] == "own" else with_foreign_head
    return graft(backbone, target, settings["seed"])


def oracle(settings: Mapping[str, Any], data: Path, folder: Path) -> MultiTaskNetwork:
    """A network trained adversarially on the target itself, end to end on all training images."""
    tasks = list(settings["targets"])
    recipe = Recipe(
        name="oracle",
        data=str(data),
        tasks=tasks,
        network={**NETWORK, "layout": "shared"},
        adversarial=_adversarial(settings),
        epochs=settings["oracle_epochs"],
        **_options(tasks, settings),
    )
    return _trained(recipe, folder / "oracle.pt")


def _options(tasks: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "task_weights": {name: weight for name, weight in WEIGHTS.items() if name in tasks},
        "batch_size": 32,
        "learning_rate": 5e-3,
        "precision": "float32",
        "zoom": 1,
        "colour": 0,
        "seed": settings["seed"],
    }


def _adversarial(settings: Mapping[str, Any]) -> Adversarial:
    how = {"method": "adversarial", "attack": "pgd-total", "eps": settings["eps"], "steps": 2}
    return Adversarial.model_validate(how)


def _trained(recipe: Recipe, state: Path) -> MultiTaskNetwork:
    """As much as is left to do."""
    return train(recipe, state, device="cpu", workers=0, report=lambda text: None).result.eval()

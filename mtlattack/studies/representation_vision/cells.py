"""What the vision study measures: backbones from some source tasks, and heads of the held-out task on them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlattack.analysis.report import analyse
from mtlattack.attacks import Attack, create_attack
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.evaluation import evaluate
from mtlattack.models import MultiTaskNetwork
from mtlattack.representation.vision import HeadTraining, few_images, learn_head, source_recipe, with_new_head
from mtlattack.studies.representation_vision.smaller import smaller_rooms
from mtlattack.studies.strength import RESAMPLES, rounded
from mtlattack.studies.study import Cell
from mtlattack.training import Adversarial, train

# Of t source tasks the first t; the target is left out of them.
TASKS = ("normals", "segmentation", "keypoints2d", "edge_texture", "depth")
STAGES = ("clean", "robust")
NETWORK = {
    "backbone": "resnet10t",
    "backbone_options": {"channels": [16, 24, 32, 48], "stem_width": 8},
    "output_stride": 16,
    "head_width": 16,
}
# As in the recipes of the zoo: losses of these tasks are small.
WEIGHTS = {"normals": 2.0, "edge_texture": 8.0, "keypoints2d": 8.0}
FULL = {
    "targets": ("depth",),
    "sources": (1, 4),
    "seeds": (0, 1, 2),
    "sizes": {
        "eps": 2, "labels": [4, 32, 256], "train": 1024, "test": 32, "epochs": 5, "head_steps": 60, "oracle_steps": 120,
        "attack_steps": 10,
    },
}  # fmt: skip
QUICK = {
    "targets": ("depth",),
    "sources": (1,),
    "seeds": (0,),
    "sizes": {
        "eps": 2, "labels": [2, 4], "train": 8, "test": 2, "epochs": 1, "head_steps": 2, "oracle_steps": 2,
        "attack_steps": 2,
    },
}  # fmt: skip
ORACLE = "oracle"


def cells(study: str, quick: bool) -> list[Cell]:
    """One for each target, number of source tasks, stage 1 and seed."""
    plan: Mapping[str, Any] = QUICK if quick else FULL
    return [
        Cell(
            study,
            f"{target}-t{count}-{stage}-{seed}",
            {"target": target, "t": count, "stage1": stage, "seed": seed, **plan["sizes"]},
            work=2.0 if stage == "robust" else 1.0,
        )
        for target in plan["targets"]
        for count in plan["sources"]
        for stage in STAGES
        for seed in plan["seeds"]
    ]


def head_name(stage: str, labels: int) -> str:
    """Of a head trained clean or robustly on so many images."""
    return f"{stage}-{labels}"


def measure(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Clean and robust skill `[1 + resamples of the images]` of every head, and of the oracle, a robust head on all
    training images."""
    data = smaller_rooms(folder / "rooms-half.h5", settings["train"], settings["test"])
    backbone = _backbone(settings, data, folder)
    train_images, test_images = (_labelled(data, split, settings["target"]) for split in ("train", "test"))
    plan = {
        head_name(stage, count): (stage, count, settings["head_steps"])
        for count in settings["labels"]
        for stage in STAGES
    }
    plan[ORACLE] = ("robust", len(train_images), settings["oracle_steps"])
    heads = {}
    for name, (stage, count, steps) in plan.items():
        network = with_new_head(backbone, train_images.tasks[settings["target"]], settings["seed"])
        attack = _attack("pgd", settings, 2) if stage == "robust" else None
        learn_head(
            network,
            few_images(train_images, count, settings["seed"]),
            HeadTraining(steps=steps, attack=attack, seed=settings["seed"]),
        )
        judge = _attack("apgd", settings, settings["attack_steps"])
        heads[name] = _skills(network, test_images, judge, folder / name / "evidence.h5")
    data.unlink()
    return {"heads": heads}


def sources_of(target: str, count: int) -> list[str]:
    """The first so many tasks that are not the target."""
    return [name for name in TASKS if name != target][:count]


def _backbone(settings: Mapping[str, Any], data: Path, folder: Path) -> MultiTaskNetwork:
    """Stage 1, which goes on after a kill."""
    sources = sources_of(settings["target"], settings["t"])
    adversarial = None
    if settings["stage1"] == "robust":
        how = {"method": "adversarial", "attack": "pgd-total", "eps": settings["eps"], "steps": 2}
        adversarial = Adversarial.model_validate(how)
    recipe = source_recipe(
        str(data),
        sources,
        settings["target"],
        NETWORK,
        adversarial,
        task_weights={name: weight for name, weight in WEIGHTS.items() if name in sources},
        epochs=settings["epochs"],
        batch_size=32,
        learning_rate=5e-3,
        precision="float32",
        zoom=1,
        colour=0,
        seed=settings["seed"],
    )
    state = train(recipe, folder / "stage1.pt", device="cpu", workers=0, report=lambda text: None)
    return state.result


def _skills(network: MultiTaskNetwork, data: PreparedDataset, attack: Attack, path: Path) -> dict[str, list[float]]:
    """Skill on clean and attacked images, below 0 where a constant answer is better."""
    analysis = analyse(evaluate(network, data, [attack], path=path, device="cpu"), RESAMPLES)
    metrics = {"clean": analysis.clean_metrics, "robust": analysis.jobs[0].change.metrics}
    skills = {kind: analysis.skill(each) for kind, each in metrics.items()}
    (target,) = network.tasks
    return {kind: rounded(skill.tasks[target]) for kind, skill in skills.items() if skill is not None}


def _labelled(data: Path, split: str, target: str) -> PreparedDataset:
    return load_dataset(str(data), split, tasks={target: load_dataset(str(data), split).tasks[target]})


def _attack(step: str, settings: Mapping[str, Any], steps: int) -> Attack:
    return create_attack(f"{step}-single:{settings['target']}", eps=settings["eps"] / 255, steps=steps)

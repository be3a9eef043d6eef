"""What the vision study measures: heads of held-out tasks on a backbone, and what training on many labels attains."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlattack.analysis.report import analyse
from mtlattack.attacks import Attack, create_attack
from mtlattack.data import Batch, PreparedDataset, join_batches, load_dataset
from mtlattack.evaluation import evaluate
from mtlattack.models import MultiTaskNetwork
from mtlattack.representation.vision import HeadTraining, few_images, learn_head
from mtlattack.studies.representation_vision.backbones import grafted, oracle, prepared_backbone
from mtlattack.studies.representation_vision.plan import ORACLE, STAGES, head_name
from mtlattack.studies.representation_vision.smaller import smaller

RESAMPLES = 100
Numbers = dict[str, Any]


def measure(settings: Mapping[str, Any], folder: Path) -> Numbers:
    """By target and head the clean skill and, `[1 + resamples of the images]`, the robust one; of an oracle's cell the
    oracle is the only head."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = {split: settings[split] for split in ("train", "test")}
    data = smaller(settings["data"], settings["every"], counts, folder)
    if settings["kind"] == ORACLE:
        (target,) = settings["targets"]
        found = _judged(oracle(settings, data, folder), _test(data, target), settings)
        return {"heads": {target: {ORACLE: found}}}
    backbone = prepared_backbone(settings, data, folder)
    return {"heads": {target: _heads(backbone, data, target, settings) for target in settings["targets"]}}


def _heads(backbone: MultiTaskNetwork | None, data: Path, target: str, settings: Mapping[str, Any]) -> Numbers:
    train, test = _labelled(data, "train", target), _test(data, target)
    by_standard = settings.get("standard", {"labels": []})["labels"]
    heads = {}
    for count in settings["labels"]:
        few = few_images(train, count, settings["seed"])
        for stage in STAGES:
            network = grafted(settings, backbone, train.tasks[target])
            attack = _attack("pgd", target, settings, 2) if stage == "robust" else None
            learn_head(network, few, HeadTraining(settings["head_steps"], attack=attack, seed=settings["seed"]))
            found = _judged(network, test, settings)
            if stage == "robust" and count in by_standard:
                some = test.part(slice(settings["standard"]["images"]))
                found["standard"] = _by_standard(network, some, settings)
            heads[head_name(stage, count)] = found
    return heads


def _judged(network: MultiTaskNetwork, images: Batch, settings: Mapping[str, Any]) -> Numbers:
    """Skill on clean and attacked images, below 0 where a constant answer is better."""
    (target,) = network.tasks
    attack = _attack("apgd", target, settings, settings["attack_steps"])
    analysis = analyse(evaluate(network, (images.images, images.targets), [attack], device="cpu"), RESAMPLES)
    clean, robust = (analysis.skill(each) for each in (analysis.clean_metrics, analysis.jobs[0].change.metrics))
    assert clean is not None and robust is not None, "evidence of ours has constant answers"
    return {"clean": _short(clean.tasks[target])[0], "robust": _short(robust.tasks[target])}


def _by_standard(network: MultiTaskNetwork, images: Batch, settings: Mapping[str, Any]) -> list[float]:
    """Skill that is left of the worst case of each image."""
    (target,) = network.tasks
    attack = create_attack("standard", eps=settings["eps"] / 255)
    run = evaluate(network, (images.images, images.targets), [attack], device="cpu")
    (skill,) = analyse(run, RESAMPLES).ensemble_skills
    assert skill is not None, "evidence of ours has constant answers"
    return _short(skill.tasks[target])


def _labelled(data: Path, split: str, target: str) -> PreparedDataset:
    return load_dataset(data, split, tasks={target: load_dataset(data, split).tasks[target]})


def _test(data: Path, target: str) -> Batch:
    images = _labelled(data, "test", target)
    return join_batches([images[place] for place in range(len(images))])


def _attack(step: str, target: str, settings: Mapping[str, Any], steps: int) -> Attack:
    return create_attack(f"{step}-single:{target}", eps=settings["eps"] / 255, steps=steps)


def _short(values: Any) -> list[float]:
    """Four digits, for JSON."""
    return [float(f"{value:.4g}") for value in values]

"""The same tasks of whole images, on a shipped network's frozen features, under evasion and under poisoning.

python benchmarks/poisoning/frozen.py                  # rooms, and nyuv2 where its prepared file is

writes `evasion-<data>.json` beside this script: the mean error of the targets on the same 48 test images, five splits.
Poisoning: a fifth of half of the tasks (direct: the targets, indirect: the others), PATOM with 50 iterations and random
points. Evasion: the clean learner's test images under apgd-dgba, 20 steps. P1 to P4 on the same features are of
`mtlattack study poisoning`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtlattack.attacks import create_attack
from mtlattack.data import load_dataset, loader
from mtlattack.files import write_json
from mtlattack.models import MultiTaskNetwork
from mtlattack.poisoning import Box, Goal, Kind, Learner, Method, Mode, Patom, TaskSet, inject, make_tasks
from mtlattack.poisoning.evasion import SceneModel, perturbed_features
from mtlattack.poisoning.experiment import Estimate
from mtlattack.poisoning.losses import Array, Rows
from mtlattack.poisoning.metrics import HEADLINE, errors
from mtlattack.poisoning.splitting import Units, units_of
from mtlattack.poisoning.vision import Scenes, read_scenes, shared_network

HERE = Path(__file__).parent
MODELS = {"rooms": "rooms-resnet10t.shared", "nyuv2": "nyuv2-resnet10t.shared"}
RELATION, BUDGET, EPS, ITERATIONS, STEPS = 0.1, 0.2, (1, 4), 50, 20
HELD_OUT, EVADED, BATCH = 0.3, 48, 16
"""The share of the images that is not learned from; of these, so many are perturbed: every row is measured on them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", default=list(MODELS), help=", ".join(MODELS))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    for name in options.data:
        result = compare(name, options.seeds)
        write_json(HERE / f"evasion-{name}.json", result)
        print(result["rows"])


def compare(name: str, seeds: int) -> dict[str, object]:
    """Of one data set's test images."""
    network = shared_network(MODELS[name])
    labelled = {key: task for key, task in network.tasks.items() if key in ("segmentation", "depth")}
    dataset = load_dataset(name, "test", tasks=labelled)
    scenes = read_scenes(network, dataset, Kind.REGRESSION)
    images = torch.cat([batch.images for batch in loader(dataset, 32)])
    assert len(images) == len(scenes.features), "every image has all labels"
    rows: dict[str, list[float]] = {}
    for seed in range(seeds):
        for row, error in of_split(network, scenes, images, seed).items():
            rows.setdefault(row, []).append(error)
    return {
        "data": name, "model": MODELS[name], "tasks": list(scenes.labels), "images": len(images), "seeds": seeds,
        "relation": RELATION, "budget": BUDGET, "rows": {row: vars(Estimate.of(each)) for row, each in rows.items()},
    }  # fmt: skip


def of_split(network: MultiTaskNetwork, scenes: Scenes, images: Tensor, seed: int) -> dict[str, float]:
    """The mean error of the targets in each row, after one split of the images for all tasks."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(images))
    tested, taught = order[:EVADED], order[round(HELD_OUT * len(images)) :]
    raw = chosen(scenes, taught)
    units = units_of(raw)
    train, test = units.of(raw), units.of(chosen(scenes, tested))
    shuffled = generator.permutation(len(train)).tolist()
    targets, others = tuple(sorted(shuffled[: len(train) // 2])), tuple(sorted(shuffled[len(train) // 2 :]))
    learner = Learner(relation=RELATION)

    def error(parameters: Array, on: TaskSet = test) -> float:
        return float(errors(parameters, on)[HEADLINE[on.kind]][list(targets)].mean())

    clean = learner.fit(train, tolerance=1e-8).parameters
    found = {"clean": error(clean)}
    for eps in EPS:
        moved = evaded(network, units, clean, test, images[tested], eps, seed)
        found[f"evasion: apgd-dgba, ε = {eps}/255"] = error(clean, moved)
    for mode, attacked in ((Mode.DIRECT, targets), (Mode.INDIRECT, others)):
        goal = Goal(targets, attacked, BUDGET, Box.around(train))
        for method in (Method.RANDOM, Method.PATOM):
            points = inject(method, Patom(seed=seed, iterations=ITERATIONS), learner, train, goal)
            taught_anew = learner.fit(train.with_points(points), tolerance=1e-8).parameters
            found[f"poisoning: {method} {mode}"] = error(taught_anew)
    return found


def chosen(scenes: Scenes, images: Rows) -> TaskSet:
    """The tasks on some of the images."""
    points = [(scenes.features[images], labels[images]) for labels in scenes.labels.values()]
    return make_tasks(scenes.kind, points, list(scenes.labels))


def evaded(
    network: MultiTaskNetwork, units: Units, parameters: Array, test: TaskSet, images: Tensor, eps: int, seed: int
) -> TaskSet:
    """The test tasks on the features of their images as the attack left them."""
    labels = {name: y for name, (_, y) in zip(test.names, test.points, strict=True)}
    batches = [
        (images[k : k + BATCH], {name: y[k : k + BATCH] for name, y in labels.items()})
        for k in range(0, len(images), BATCH)
    ]
    attack = create_attack("apgd-dgba", eps=eps / 255, steps=STEPS, seed=seed)
    found = perturbed_features(SceneModel(network, test.kind, test.names, units, parameters), attack, batches)
    moved = (found - units.feature_mean) / units.feature_scale
    return make_tasks(test.kind, [(moved, y) for y in labels.values()], list(labels))


if __name__ == "__main__":
    main()

"""Frozen features of zoo models as tables, and the same tasks under evasion and under poisoning, in one table.

python benchmarks/poisoning/frozen.py --nyuv2 nyuv2-120x160.h5 --out FOLDER

writes `frozen-<data>.npz` to FOLDER (for `claims.py frozen-<data> --from FOLDER`) and `evasion-<data>.json` beside this
script. NYUv2: features of all 1,449 images, both splits; rooms: the 256 test images. Poisoning: a fifth of half of the
tasks (direct: the targets, indirect: the others). Evasion: the clean learner's test images under apgd-dgba, 20 steps.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from mtlattack.attacks import create_attack
from mtlattack.data import load_dataset, loader
from mtlattack.files import write_json
from mtlattack.poisoning import Box, Goal, Kind, Learner, Method, Mode, Patom, TaskSet, inject, make_tasks
from mtlattack.poisoning.evasion import SceneModel, perturbed_features
from mtlattack.poisoning.experiment import Estimate
from mtlattack.poisoning.metrics import HEADLINE, errors
from mtlattack.poisoning.splitting import units_of
from mtlattack.poisoning.vision import Scenes, read_scenes, shared_network

HERE = Path(__file__).parent
MODELS = {"rooms": "rooms-resnet10t.shared", "nyuv2": "nyuv2-resnet10t.shared"}
RELATION, BUDGET, SEEDS, EPS = 0.1, 0.2, 5, (1, 4)
EVADED = 48
"""Test images that are perturbed, and on which every row of the table is measured."""


def read_frozen(path: Path) -> TaskSet:
    """What `keep` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return make_tasks(Kind(str(stored["kind"])), [(stored["x"], y) for y in stored["y"]], list(stored["names"]))


def keep(scenes: Scenes, path: Path) -> None:
    labels = list(scenes.labels.values())
    np.savez_compressed(path, kind=scenes.kind.value, x=scenes.features, y=labels, names=list(scenes.labels))


def compare(name: str, path: str, model: str) -> dict[str, object]:
    """One table: the mean error of the targets on the same test images, per seed."""
    network = shared_network(model)
    dataset = load_dataset(path, "test", tasks=_labelled(network))
    scenes = read_scenes(network, dataset, Kind.REGRESSION)
    images = torch.cat([batch.images for batch in loader(dataset, 32)])
    assert len(images) == len(scenes.features), "every image has all labels"
    names, values = list(scenes.labels), list(scenes.labels.values())
    rows: dict[str, list[float]] = {}
    learner = Learner(relation=RELATION)
    for seed in range(SEEDS):
        generator = np.random.default_rng(seed)
        # One split of the images for all tasks: who is tested was seen by no task.
        order = generator.permutation(len(images))
        tested, taught = order[:EVADED], order[round(0.3 * len(images)) :]
        raw = make_tasks(Kind.REGRESSION, [(scenes.features[taught], y[taught]) for y in values], names)
        units = units_of(raw)
        tasks = units.of(raw)
        test = units.of(make_tasks(Kind.REGRESSION, [(scenes.features[tested], y[tested]) for y in values], names))
        labels = [y for _, y in test.points]
        half = len(tasks) // 2
        shuffled = generator.permutation(len(tasks)).tolist()
        targets, others = tuple(sorted(shuffled[:half])), tuple(sorted(shuffled[half:]))

        def add(row: str, parameters: np.ndarray, on: TaskSet = test, chosen: tuple[int, ...] = targets) -> None:
            rows.setdefault(row, []).append(float(errors(parameters, on)[HEADLINE[on.kind]][list(chosen)].mean()))

        clean = learner.fit(tasks, tolerance=1e-8).parameters
        add("clean", clean)
        scene_model = SceneModel(network, Kind.REGRESSION, names, units, clean)
        batches = [
            (images[tested[k : k + 16]], {n: y[k : k + 16] for n, y in zip(names, labels, strict=True)})
            for k in range(0, len(tested), 16)
        ]
        for eps in EPS:
            attack = create_attack("apgd-dgba", eps=eps / 255, steps=20, seed=seed)
            found = perturbed_features(scene_model, attack, batches)
            moved = (found - units.feature_mean) / units.feature_scale
            add(f"evasion: apgd-dgba, ε = {eps}/255", clean, make_tasks(Kind.REGRESSION, [(moved, y) for y in labels]))
        for mode, attacked in ((Mode.DIRECT, targets), (Mode.INDIRECT, others)):
            goal = Goal(targets, attacked, BUDGET, Box.around(tasks))
            for method in (Method.RANDOM, Method.PATOM):
                points = inject(method, Patom(seed=seed, iterations=50), learner, tasks, goal)
                add(f"poisoning: {method} {mode}", learner.fit(tasks.with_points(points), tolerance=1e-8).parameters)
    return {
        "data": name, "model": model, "tasks": list(scenes.labels), "images": len(images), "seeds": SEEDS,
        "relation": RELATION, "budget": BUDGET,
        "rows": {row: vars(Estimate.of(values)) for row, values in rows.items()},
    }  # fmt: skip


def _labelled(network: object) -> dict[str, object]:
    tasks = network.tasks  # type: ignore[attr-defined]
    return {name: task for name, task in tasks.items() if name in ("segmentation", "depth")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nyuv2", type=str, help="prepared file")
    parser.add_argument("--out", type=Path, default=Path("poisonings"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, path in (("rooms", "rooms"), ("nyuv2", options.nyuv2)):
        if path is None:
            continue
        network = shared_network(MODELS[name])
        splits = ("test",) if name == "rooms" else ("train", "test")
        parts = [read_scenes(network, load_dataset(path, s, tasks=_labelled(network)), Kind.REGRESSION) for s in splits]
        names = [n for n in parts[0].labels if all(n in part.labels for part in parts)]
        whole = Scenes(Kind.REGRESSION, np.concatenate([p.features for p in parts]),
                       {n: np.concatenate([p.labels[n] for p in parts]) for n in names})  # fmt: skip
        keep(whole, options.out / f"frozen-{name}.npz")
        result = compare(name, path, MODELS[name])
        write_json(HERE / f"evasion-{name}.json", result)
        print(result)


if __name__ == "__main__":
    main()

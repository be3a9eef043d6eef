"""Which backbones, heads and oracles the vision study measures."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mtlattack.studies.study import Cell

STAGES = ("clean", "robust")
ORACLE = "oracle"
IMAGENET = "imagenet"
TASKS = {
    "rooms": ("depth", "edge_texture", "keypoints2d", "normals", "segmentation"),
    "nyuv2": ("depth", "normals", "segmentation"),
}
FULL: Mapping[str, Any] = {
    "seeds": (0, 1, 2),
    "own": {"rooms": (1, 2, 3, 4), "nyuv2": (2,)},
    "held_out": TASKS,
    # Data set of the target, model of the zoo, how it was trained, targets.
    "borrowed": (
        ("nyuv2", "rooms-resnet10t.shared", "clean", TASKS["nyuv2"]),
        ("nyuv2", "rooms-resnet10t.shared.at-total", "robust", TASKS["nyuv2"]),
        ("nyuv2", IMAGENET, "clean", TASKS["nyuv2"]),
    ),
    "data": {
        "rooms": {"data": "rooms", "every": 2, "train": 1024, "test": 16, "epochs": 5, "oracle_epochs": 5},
        "nyuv2": {"data": "nyuv2", "every": 2, "train": 400, "test": 16, "epochs": 8, "oracle_epochs": 8},
    },
    "sizes": {
        "eps": 2, "labels": [4, 32, 256], "head_steps": 60, "attack_steps": 10,
    },
    # Of `standard`, so many test images, for adversarially trained heads on backbones of all other tasks.
    "standard": {"images": 16, "labels": [256]},
}  # fmt: skip
QUICK: Mapping[str, Any] = {
    "seeds": (0,),
    "own": {"rooms": (1,)},
    "held_out": {"rooms": ("depth",)},
    "borrowed": (("rooms", "nyuv2-resnet10t.shared", "clean", ("keypoints2d",)),),
    "data": {"rooms": {"data": "rooms", "every": 4, "train": 8, "test": 2, "epochs": 1, "oracle_epochs": 1}},
    "sizes": {
        "eps": 2, "labels": [2, 4], "head_steps": 2, "attack_steps": 2,
    },
    "standard": {"images": 0, "labels": []},
}  # fmt: skip


def cells(study: str, quick: bool) -> list[Cell]:
    """One for each backbone and seed, with all of its targets, and one for each oracle."""
    plan = QUICK if quick else FULL
    return [
        Cell(study, f"{name}-{seed}", {**told, "seed": seed, **plan["data"][told["data"]], **plan["sizes"]}, work)
        for seed in plan["seeds"]
        for name, told, work in [*_own(plan, seed), *_borrowed(plan), *_oracles(plan)]
    ]


def sources_of(data: str, target: str, count: int, seed: int) -> tuple[str, ...]:
    """So many source tasks: the first of a random order of all but the target, so that fewer are among more."""
    order = random.Random(f"{data} {seed}").sample(TASKS[data], len(TASKS[data]))
    chosen = [name for name in order if name != target][:count]
    return tuple(name for name in TASKS[data] if name in chosen)


def head_name(stage: str, labels: int) -> str:
    """Of a head trained clean or robustly on so many images."""
    return f"{stage}-{labels}"


_Described = tuple[str, dict[str, Any], float]


def _own(plan: Mapping[str, Any], seed: int) -> Iterator[_Described]:
    """Backbones that are trained here: targets that have the same sources share one."""
    for data, counts in plan["own"].items():
        for count in counts:
            targets: dict[tuple[str, ...], list[str]] = {}
            for target in plan["held_out"][data]:
                targets.setdefault(sources_of(data, target, count, seed), []).append(target)
            for sources, held_out in targets.items():
                for stage in STAGES:
                    told = {"kind": "own", "data": data, "sources": sources, "targets": held_out, "stage1": stage}
                    if count == len(TASKS[data]) - 1:
                        told |= {"standard": plan["standard"]}
                    work = (2.0 if stage == "robust" else 1.0) + len(held_out)
                    yield f"{data}-{'+'.join(sources)}-{stage}", told, work


def _borrowed(plan: Mapping[str, Any]) -> Iterator[_Described]:
    for data, model, stage, targets in plan["borrowed"]:
        told = {"kind": "borrowed", "data": data, "model": model, "targets": targets, "stage1": stage}
        yield f"{data}-from-{model}", told, 6.0 * len(targets)


def _oracles(plan: Mapping[str, Any]) -> Iterator[_Described]:
    for data, targets in _held_out(plan):
        for target in targets:
            yield f"{data}-{ORACLE}-{target}", {"kind": ORACLE, "data": data, "targets": [target]}, 4.0


def _held_out(plan: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str]]]:
    """By data set every task that is a target."""
    for data in plan["data"]:
        named = {*plan["held_out"].get(data, ())}
        named |= {target for where, _, _, targets in plan["borrowed"] if where == data for target in targets}
        yield data, [name for name in TASKS[data] if name in named]

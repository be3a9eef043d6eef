"""Attacks made for transfer at equal backward passes, from a source to every other model of its data; see attacks.md.

Images are made once a source, attack and ε, and judged on all victims; what each said of them goes to a file of its
own under --work: what is there is read, what is not is made. `attacks_report.py` makes the tables of the JSON.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor

import mtlattack as mta
from mtlattack.analysis.change import measure_change, weighted_metrics
from mtlattack.analysis.report import BOOTSTRAP_SEED, RESAMPLES, interval
from mtlattack.analysis.resampling import resampling_weights
from mtlattack.analysis.skill import measure_skill
from mtlattack.attacks import Attack
from mtlattack.cli.script import run_script
from mtlattack.data import Batch, PreparedDataset, join_batches
from mtlattack.errors import InputError
from mtlattack.evaluation import craft, judge
from mtlattack.evaluation.constants import best_constants, constant_statistics
from mtlattack.evaluation.environment import circumstances, numeric_environment
from mtlattack.evidence import Outcome
from mtlattack.files import write_json
from mtlattack.models import prepare_for_attack
from mtlattack.tasks import Model

PASSES = 40
NOISE = "noise"
# By a name for the tables: the attack, and options with which it takes 40 backward passes. Where a step takes several,
# once as the paper divides them, once with more steps.
ATTACKS: dict[str, tuple[str, dict[str, Any]]] = {
    NOISE: ("noise-relative", {"restarts": 1}),
    "apgd": ("apgd-relative", {"steps": 40}),
    "mim": ("mim-relative", {"steps": 40}),
    "nim": ("nim-relative", {"steps": 40}),
    "dim": ("dim-relative", {"steps": 40}),
    "tim": ("tim-relative", {"steps": 40}),
    "sim, 5 copies": ("sim-relative", {"steps": 8, "copies": 5}),
    "sim, 2 copies": ("sim-relative", {"steps": 20, "copies": 2}),
    "vmi, 12 neighbours": ("vmi-relative", {"steps": 4, "neighbours": 12}),
    "vmi, 2 neighbours": ("vmi-relative", {"steps": 14, "neighbours": 2}),
    "bsr, 20 copies": ("bsr-relative", {"steps": 2, "copies": 20}),
    "bsr, 4 copies": ("bsr-relative", {"steps": 10, "copies": 4}),
    "fia, 30 masks": ("mim-fia", {"steps": 10, "masks": 30}),
    "fia, 10 masks": ("mim-fia", {"steps": 30, "masks": 10}),
    "feature": ("mim-feature", {"steps": 40}),
}
REFERENCES = ("mim", "apgd")
MEASURES = ("log_ratio", "skill_lost")
Rows = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """The images with their labels, and all models of them."""

    data: PreparedDataset
    batch: Batch
    models: Mapping[str, Model]


def main(
    work: Annotated[Path, typer.Option(help="Folder of the cells.")],
    source: Annotated[str, typer.Option(help="Zoo model that images are made on.")],
    data: Annotated[str, typer.Option(help="Data set by name, or a prepared file.")] = "rooms",
    eps: Annotated[list[float], typer.Option(help="ε · 255, l_inf; repeatable.")] = [8, 4],  # noqa: B006
    limit: Annotated[int, typer.Option(min=1, help="Only the first so many images.")] = 16,
    seed: Annotated[int, typer.Option(help="Of the attacks.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where the results go, beside others.")] = None,
) -> None:
    """Attack one source by every attack, and judge the images on every model of the same data."""
    scene = _scene(data, source, limit)
    for level in eps:
        folder = work / f"{source}-eps{level:g}-limit{limit}-seed{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        cells = {}
        for label, (name, options) in ATTACKS.items():
            attack = mta.create_attack(name, eps=level / 255, seed=seed, **options)
            spent = attack.cost(len(scene.data.tasks))
            if attack.white_box and spent.backward != PASSES:
                raise InputError(f"{label} spends {spent.backward} backward passes, expected {PASSES}")
            cells[label] = _cell(folder / f"{label.replace(', ', '-').replace(' ', '')}.json", scene, source, attack)
            print(source, f"{level:g}/255", label, file=sys.stderr, flush=True)
        if json_path:
            attacks = _summed_up(scene, source, cells)
            _add(json_path, {"source": source, "images": limit, "eps_255": level, "seed": seed, "attacks": attacks})


def _add(path: Path, result: Rows) -> None:
    """Write a source's results at one ε beside those that are there, in place of its own."""
    known = json.loads(path.read_text())["results"] if path.exists() else []
    others = [each for each in known if (each["source"], each["eps_255"]) != (result["source"], result["eps_255"])]
    document = {
        "benchmark": "transfer/attacks",
        "circumstances": circumstances(),
        "environment": numeric_environment(torch.device("cpu")),
        "backward_passes": PASSES,
        "options": {label: {"name": name, **options} for label, (name, options) in ATTACKS.items()},
        "results": [*others, result],
    }
    write_json(path, document)


def _scene(data: str, source: str, limit: int) -> Scene:
    """The first images of the test split, and the zoo's models of the source's data, prepared."""
    network = mta.create_model(source)
    images = mta.load_dataset(data, split="test", tasks=network.tasks, limit=limit)
    batch = join_batches([images[i] for i in range(len(images))])
    family = source.partition(".")[0]
    models = {name: prepare_for_attack(mta.create_model(name), batch.images) for name in mta.list_models(f"{family}.*")}
    return Scene(images, batch, models)


def _cell(path: Path, scene: Scene, source: str, attack: Attack) -> dict[str, Rows]:
    """By victim the rows of its judgement on the images of one attack, from its file or made for it."""
    if not path.exists():
        made = craft(scene.models[source], scene.data, attack, batch_size=len(scene.batch.ids), device="cpu")
        images = torch.cat([one.result.images for one in made])
        write_json(path, {name: _judged(model, scene, images) for name, model in scene.models.items()})
    cells: dict[str, Rows] = json.loads(path.read_text())
    return cells


def _judged(victim: Model, scene: Scene, images: Tensor) -> Rows:
    found = judge(victim, images, scene.batch.targets, scene.batch.images)
    return {"losses": found.losses.tolist(), "statistics": {k: v.tolist() for k, v in found.statistics.items()}}


def _summed_up(scene: Scene, source: str, cells: Mapping[str, Mapping[str, Rows]]) -> dict[str, Any]:
    """By attack, for the source and the means over the other models, plain and adversarially trained, each measure with
    its interval, and its difference to the references, over the same resamples of the images."""
    weights = resampling_weights(len(scene.batch.ids), RESAMPLES, BOOTSTRAP_SEED)
    constants = constant_statistics(scene.data.tasks, best_constants(scene.data), scene.batch.targets)
    constant = weighted_metrics(constants, scene.data.tasks, weights)
    clean = {name: _outcome(_judged(model, scene, scene.batch.images)) for name, model in scene.models.items()}
    others = [name for name in scene.models if name != source]
    groups = {
        "white-box": [source],
        "plain": [name for name in others if ".at-" not in name],
        "trained": [name for name in others if ".at-" in name],
    }

    def measured(label: str, victim: str) -> dict[str, NDArray[np.float64]]:
        tasks = scene.data.tasks
        before = weighted_metrics(clean[victim].statistics, tasks, weights)
        change = measure_change(clean[victim], before, _outcome(cells[label][victim]), tasks, weights)
        lost = measure_skill(before, constant, tasks).mean - measure_skill(change.metrics, constant, tasks).mean
        return {"log_ratio": change.log_ratio, "skill_lost": lost}

    values = {label: {victim: measured(label, victim) for victim in scene.models} for label in cells}

    def mean(label: str, victims: Sequence[str], measure: str) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.mean([values[label][victim][measure] for victim in victims], 0)
        return found

    def row(label: str, victims: Sequence[str]) -> Rows:
        found: Rows = {}
        for measure in MEASURES:
            own = mean(label, victims, measure)
            found[measure] = _rounded(own)
            for reference in REFERENCES:
                found[f"{measure}_minus_{reference}"] = _rounded(own - mean(reference, victims, measure))
        return found

    return {
        label: {
            **{group: row(label, victims) for group, victims in groups.items()},
            "victims": {name: _rounded(values[label][name]["log_ratio"]) for name in others},
        }
        for label in cells
    }


def _rounded(values: NDArray[np.float64]) -> Rows:
    """Value, low and high of the interval, to the digits that it bears."""
    return {part: round(number, 4) for part, number in interval(values).model_dump().items()}


def _outcome(rows: Rows) -> Outcome:
    losses = np.array(rows["losses"])
    nothing = np.full((len(losses), 4), np.nan)
    statistics = {name: np.array(values) for name, values in rows["statistics"].items()}
    return Outcome(losses, statistics, nothing, nothing, nothing[:, 0])


if __name__ == "__main__":
    run_script(main)

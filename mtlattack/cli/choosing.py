"""What the commands that attack have in common: which suite, model, images and attacks."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mtlattack.attacks import Attack, UniversalAttack
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.epsilon import parse_epsilons
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import Suite, load_suite
from mtlattack.models import resolve_model
from mtlattack.schemas import validate
from mtlattack.tasks import Model, TaskMap

# Universal perturbations are fitted on so many.
_FITTING_IMAGES = 256
# What is run with a target if nobody names an attack: distances to goals know units, relative ones do not.
_TARGETED = "apgd-relative"


SuiteName = Annotated[str, typer.Argument(help="Suite by name, or a TOML file.")]
ModelName = Annotated[str | None, typer.Option(help="Zoo name, .safetensors file, or module:factory.")]
Checkpoint = Annotated[Path | None, typer.Option(help="Weights for module:factory.")]
DataName = Annotated[str | None, typer.Option(help="Data set by name, or a prepared .h5 file.")]
Attacks = Annotated[str | None, typer.Option(help="Names or globs, comma-separated; none: clean only.")]
Eps = Annotated[str | None, typer.Option(help="Comma-separated; l_inf in levels of 255, others as they are.")]
Norm = Annotated[str | None, typer.Option(help="Of the threat: linf, l2, l1, l0 or patch.")]
Quantize = Annotated[bool, typer.Option("--quantize", help="8-bit images stay 8-bit under attack.")]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", help="TASK:GOAL, once a task: segmentation:1to5, depth:x1.5, normals:y30, TASK:keep."),
]
Every = Annotated[int | None, typer.Option(help="Only every so many-th image.")]
Limit = Annotated[int | None, typer.Option(help="Only the first so many images, of these.")]
BatchSize = Annotated[int | None, typer.Option(help="Images at a time.")]
SearchPrecision = Annotated[str, typer.Option(help="Of the gradients: float32, bfloat16 or auto.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps; default: the best there is.")]
Seed = Annotated[int | None, typer.Option(help="Of the random starts.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Drop what an earlier run left in the folder.")]


@dataclass(frozen=True)
class Chosen:
    """A suite with what the user asked for otherwise (`overrides`), and what that comes to."""

    suite: Suite
    overrides: dict[str, Any]
    model: Model
    name: str
    images: PreparedDataset
    attacks: list[Attack]
    fit_images: PreparedDataset | None

    def place(self, folder: str) -> Path:
        """Where its results go if nobody says: `folder`/<suite>-<model>."""
        return Path(folder) / re.sub(r"[^\w.-]+", "_", f"{self.suite.name}-{self.name}")

    @property
    def reference(self) -> dict[str, Any]:
        """The suite, for the record."""
        named = {"name": self.suite.name, "version": self.suite.version, "sha256": self.suite.sha256}
        return named | {"overrides": self.overrides}


def choose(
    suite: str,
    model: str | None,
    checkpoint: Path | None,
    data: str | None,
    *,
    attacks: str | None,
    eps: str | None,
    norm: str | None,
    quantize: bool,
    target: list[str] | None = None,
    every: int | None,
    limit: int | None,
    batch_size: int | None,
    seed: int | None,
) -> Chosen:
    """What the options of a command mean; InputError for one that means nothing."""
    goals = _target(target or [])
    if goals and attacks is None:
        attacks = _TARGETED
    changes: dict[str, Any] = {
        "attacks": None if attacks is None else _names(attacks),
        "eps": None if eps is None else parse_epsilons(eps),
        "norm": norm,
        "quantize": quantize or None,
        "every": every,
        "limit": limit,
        "batch_size": batch_size,
        "seed": seed,
    }
    chosen, overrides = override(load_suite(suite), changes)
    reference = model or (str(checkpoint) if checkpoint else chosen.model)
    if reference is None:
        raise InputError(f"suite {chosen.name!r} names no model; give one with --model")
    network, name = resolve_model(reference, checkpoint if model else None)
    tasks: TaskMap = network.tasks  # type: ignore[assignment]
    source = data or chosen.data
    images = load_dataset(source, chosen.split, tasks=tasks, limit=chosen.limit, every=chosen.every)
    attack_list = chosen.create_attacks(tasks, goals or None)
    overrides |= {"target": goals} if goals else {}
    fit_images = _images_to_fit_on(attack_list, source, tasks)
    return Chosen(chosen, overrides, network, name, images, attack_list, fit_images)  # type: ignore[arg-type]


def override(suite: Suite, changes: dict[str, Any]) -> tuple[Suite, dict[str, Any]]:
    """The suite with what the user asked for otherwise, and these changes alone; InputError for a wrong value."""
    wanted = {key: value for key, value in changes.items() if value is not None and value != getattr(suite, key)}
    return validate(Suite, suite.model_dump() | wanted), wanted


def _images_to_fit_on(attacks: list[Attack], data: str, tasks: TaskMap) -> PreparedDataset | None:
    """The first images of the `train` split, if an attack has to be fitted and there is this split."""
    if not any(isinstance(attack, UniversalAttack) for attack in attacks):
        return None
    try:
        return load_dataset(data, "train", tasks=tasks, limit=_FITTING_IMAGES)
    except UnknownNameError:
        return None


def _target(texts: list[str]) -> dict[str, str]:
    """Goals by task from `segmentation:1->5`, …; InputError for what is written otherwise."""
    goals: dict[str, str] = {}
    for text in texts:
        task, colon, goal = text.partition(":")
        if not (task and colon and goal):
            raise InputError(f"--target {text!r}, expected TASK:GOAL as in segmentation:1to5 or depth:x1.5")
        if task in goals:
            raise InputError(f"--target names {task} twice: {goals[task]!r} and {goal!r}")
        goals[task] = goal
    return goals


def _names(text: str) -> list[str]:
    return [] if text == "none" else [part.strip() for part in text.split(",") if part.strip()]

"""What is run, from names: a suite with what is asked for otherwise, the model, the images, the attacks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from mtlattack.attacks import Attack, UniversalAttack
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.epsilon import default_written
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation.suites import Suite, load_suite
from mtlattack.files import file_name
from mtlattack.models import resolve_model
from mtlattack.schemas import validate
from mtlattack.tasks import Model, TaskMap

# Universal perturbations are fitted on so many.
_FITTING_IMAGES = 256
# What is run with a target if nobody names an attack: distances to goals know units, relative ones do not.
_TARGETED = "apgd-relative"


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
        return Path(folder) / file_name(f"{self.suite.name}-{self.name}")

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
    changes: Mapping[str, Any],
    *,
    resolve: Callable[[str, Path | None], tuple[nn.Module, str]] = resolve_model,
    load: Callable[..., PreparedDataset] = load_dataset,
) -> Chosen:
    """What names mean: of a suite, whose fields `changes` replace (None: as they are), of a model (by default the
    checkpoint, else the suite's own) and of data (by default the suite's). A target for a suite that has none comes
    with an attack that leads to one, unless attacks are named.

    `resolve` and `load` give models and images, as `resolve_model` and `load_dataset` do. InputError for what is not
    there or does not fit.
    """
    loaded = load_suite(suite)
    if changes.get("target") and loaded.target is None and changes.get("attacks") is None:
        changes = {**changes, "attacks": [_TARGETED]}
    chosen, overrides = override(loaded, changes)
    reference = model or (str(checkpoint) if checkpoint else chosen.model)
    if reference is None:
        raise InputError(f"suite {chosen.name!r} names no model; give one with --model")
    network, name = resolve(reference, checkpoint if model else None)
    tasks: TaskMap = network.tasks  # type: ignore[assignment]
    source = data or chosen.data
    images = load(source, chosen.split, tasks=tasks, limit=chosen.limit, every=chosen.every)
    attacks = chosen.create_attacks(tasks)
    overrides |= {"data": images.name} if data and _is_other(images, chosen.data) else {}
    fit_images = _images_to_fit_on(attacks, source, tasks)
    return Chosen(chosen, overrides, network, name, images, attacks, fit_images)  # type: ignore[arg-type]


def override(suite: Suite, changes: Mapping[str, Any]) -> tuple[Suite, dict[str, Any]]:
    """The suite with what the user asked for otherwise, and these changes alone; InputError for a wrong value.

    The ε of a suite are of its norm: with another norm and no ε the norm's default is taken.
    """
    wanted = {key: value for key, value in changes.items() if value is not None and value != getattr(suite, key)}
    if "norm" in wanted and changes.get("eps") is None:
        wanted["eps"] = [default_written(wanted["norm"])]
    whole = suite.model_dump() | wanted
    if suite.headline not in whole["eps"]:
        whole["headline"] = None
    return validate(Suite, whole), wanted


def _is_other(images: PreparedDataset, data: str) -> bool:
    """Whether these are not the data that a suite names: a prepared file knows what it is of."""
    return images.name != data and images.path.resolve() != Path(data).resolve()


def _images_to_fit_on(attacks: list[Attack], data: str, tasks: TaskMap) -> PreparedDataset | None:
    """The first images of the `train` split, if an attack has to be fitted and there is this split."""
    if not any(isinstance(attack, UniversalAttack) for attack in attacks):
        return None
    try:
        return load_dataset(data, "train", tasks=tasks, limit=_FITTING_IMAGES)
    except UnknownNameError:
        return None

"""Model cards: what the checkpoint shows, and what only the submitter can say."""

import re
from dataclasses import asdict, dataclass
from math import isclose
from pathlib import Path
from typing import Any

from mtlattack.errors import InputError
from mtlattack.evaluation.environment import weights_digest
from mtlattack.leaderboard.rows.plan import Plan, PlannedModel
from mtlattack.leaderboard.rows.schema import NAME, ModelCard
from mtlattack.models import file_hash, layout_name, list_models, load_checkpoint, model_path, read_description
from mtlattack.models.checkpoints import has_description
from mtlattack.models.tree import TreeNetwork
from mtlattack.schemas import validate
from mtlattack.training import Recipe

# What recipes say of licences that have no SPDX identifier.
_IDENTIFIERS = {"weights: research use, as the NYUv2 images they were trained on": "LicenseRef-research-only"}
# A degree is printed with two digits.
_ROUNDING = 0.005
_WANTED = {
    "name": "--name NAME (its folder on the board)",
    "licence": "--licence TEXT (of the weights, an SPDX identifier where there is one)",
    "checkpoint": "--checkpoint FILE (with the weights that were attacked)",
    "submitter": "--submitter NAME (who answers for the row)",
}


@dataclass(frozen=True)
class Said:
    """What a submitter says of a model and of self; None where nothing is said. Fields as those of `ModelCard`."""

    submitter: str | None = None
    name: str | None = None
    licence: str | None = None
    layout: str | None = None
    sharing_degree: float | None = None
    adversarial_training: str | None = None
    extra_data: str | None = None
    paper: str | None = None
    code: str | None = None
    note: str | None = None


def make_card(plan: Plan, said: Said, checkpoint: Path | None = None) -> ModelCard:
    """The card of the model that was run, whose weights lie in `checkpoint` (default: the zoo's, by the model's name).

    What a checkpoint of ours says of itself is taken from there, and its weights must be those that were run; a foreign
    file is hashed alone. InputError lists all that is missing, or names what contradicts the checkpoint.
    """
    name = plan.model.name
    if checkpoint is None and name in list_models():
        checkpoint = model_path(name)
    if checkpoint is not None and not checkpoint.is_file():
        raise InputError(f"no checkpoint file {checkpoint}")
    known: dict[str, Any] = {} if checkpoint is None else _known(checkpoint, plan.model)
    card = {key: value for key, value in asdict(said).items() if value is not None and key != "submitter"}
    for key, value in card.items():
        if key in known and not _agrees(known[key], value):
            found = "none" if known[key] is None else known[key]
            option = f"--{key.replace('_', '-')}"
            raise InputError(f"{option} {value}: the checkpoint {checkpoint} says otherwise, {found}")
    if re.fullmatch(NAME, name):
        card = {"name": name} | card
    card |= known
    _check_missing(card, checkpoint, said)
    assert checkpoint is not None
    if card["name"] in list_models() and "name" not in known:
        raise InputError(
            f"the name {card['name']} is that of a model that ships, and {checkpoint} is another; --name gives it one"
        )
    optional = dict.fromkeys(("layout", "sharing_degree", "adversarial_training", "extra_data", "paper", "code"))
    run = {"weights_sha256": plan.model.sha256, "parameters": plan.model.parameters}
    return validate(ModelCard, {**optional, **card, **run, "checkpoint_sha256": file_hash(checkpoint)}, "model card: ")


def _known(path: Path, model: PlannedModel) -> dict[str, Any]:
    """What the file itself shows of the card; nothing if it is not one of ours."""
    if not has_description(path):
        return {}
    network = load_checkpoint(path)
    if weights_digest(network) != model.sha256:
        raise InputError(
            f"checkpoint {path} holds other weights than the run attacked; --checkpoint says where they are"
        )
    known: dict[str, Any] = {"layout": None, "sharing_degree": None}
    if isinstance(network, TreeNetwork):
        known["layout"] = layout_name(network.layout, list(network.tasks))
        known["sharing_degree"] = network.layout.sharing_degree
    if (recipe := _recipe(path)) is not None:
        known["licence"] = _IDENTIFIERS.get(recipe.license, recipe.license)
        known["adversarial_training"] = None if recipe.adversarial is None else recipe.adversarial.describe()
    if (name := _shipped_name(path)) is not None:
        known["name"] = name
    return known


def _shipped_name(path: Path) -> str | None:
    """The name of the shipped model whose very file this is."""
    digest = file_hash(path)
    return next((name for name in list_models() if file_hash(model_path(name)) == digest), None)


def _recipe(path: Path) -> Recipe | None:
    """What made a checkpoint; None where its header does not say it, or not as this version does."""
    provenance = read_description(path).get("provenance")
    recipe = provenance.get("recipe") if isinstance(provenance, dict) else None
    try:
        return validate(Recipe, recipe) if isinstance(recipe, dict) else None
    except InputError:
        return None


def _agrees(known: Any, said: Any) -> bool:
    if isinstance(known, float) and isinstance(said, float):
        return isclose(known, said, rel_tol=0, abs_tol=_ROUNDING)
    return bool(known == said)


def _check_missing(card: dict[str, Any], checkpoint: Path | None, said: Said) -> None:
    found = {"name": card.get("name"), "licence": card.get("licence"), "checkpoint": checkpoint}
    found["submitter"] = said.submitter
    if missing := [wanted for key, wanted in _WANTED.items() if not found[key]]:
        raise InputError(f"still to be said: {', '.join(missing)}")

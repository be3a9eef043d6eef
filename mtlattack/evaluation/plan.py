"""The plan: everything that determines a run's numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from mtlattack.attacks import Attack
from mtlattack.data import LabelledImages
from mtlattack.evaluation.constants import best_constants
from mtlattack.evaluation.environment import describe_data, describe_model
from mtlattack.evaluation.fitting import describe_fit
from mtlattack.evaluation.preparation import Preparation
from mtlattack.evaluation.ranks import ALONE, Ranks
from mtlattack.tasks import Model, describe_tasks


def make_plan(
    model: Model,
    data: LabelledImages,
    attacks: Sequence[Mapping[str, Any]],
    *,
    name: str | None,
    suite: Mapping[str, Any] | None,
    ensembles: Sequence[Mapping[str, Any]],
    preparation: Preparation,
    batch_size: int,
    seed: int,
    ranks: Ranks = ALONE,
) -> dict[str, Any]:
    """The plan of a run as plain JSON: two runs with equal plans end with equal numbers.

    But for rounding: on other devices or versions, which stand in the evidence's environment, and where the device's
    memory did not hold a batch of this size. `attacks` are as `plan_attacks` says. Of `ranks` one reads the data.
    InputError for a task of which no image has a valid pixel.
    """
    return {
        "suite": dict(suite) if suite else None,
        "model": describe_model(model, name),
        "data": ranks.once(lambda: describe_data(data)),
        "tasks": describe_tasks(model.tasks),
        "constants": ranks.once(lambda: best_constants(data)),
        "attacks": [dict(attack) for attack in attacks],
        "ensembles": [dict(ensemble) for ensemble in ensembles],
        "preparation": preparation.description,
        "seed": seed,
        "batch_size": batch_size,
    }


def plan_attacks(
    attacks: Sequence[Attack], tasks: int, preparation: Preparation, fit_data: LabelledImages,
    ranks: Ranks = ALONE,
) -> list[dict[str, Any]]:  # fmt: skip
    """What a plan says of attacks on a model with so many tasks: what makes them, and what they cost an image.

    Those that are fitted on images are on `fit_data`; their entries have a part `fit` more.
    """
    costs = [attack.cost_with_search(tasks) if preparation.low else attack.cost(tasks) for attack in attacks]
    return [
        {
            "config": attack.config(),
            "white_box": attack.white_box,
            "forward_passes": passes.forward,
            "backward_passes": passes.backward,
        }
        | describe_fit(attack, tasks, fit_data, ranks)
        for attack, passes in zip(attacks, costs, strict=True)
    ]

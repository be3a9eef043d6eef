"""The plan: everything that determines a run's numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mtlattack.attacks import Attack
from mtlattack.data import PreparedDataset
from mtlattack.evaluation.constants import Constants
from mtlattack.evaluation.environment import describe_model, numeric_environment
from mtlattack.evaluation.fitting import describe_fit
from mtlattack.evaluation.model import Model
from mtlattack.evaluation.preparation import Preparation


def make_plan(
    model: Model,
    data: PreparedDataset,
    attacks: Sequence[Attack],
    *,
    fit_data: PreparedDataset,
    name: str | None,
    suite: Mapping[str, Any] | None,
    ensembles: Sequence[Mapping[str, Any]],
    preparation: Preparation,
    constants: Constants,
    batch_size: int,
    device: torch.device,
    seed: int,
) -> dict[str, Any]:
    """The plan of a run as plain JSON: two runs with equal plans end with equal numbers.

    But for rounding where the device's memory did not hold a batch of this size. Attacks that are fitted on images are
    on `fit_data`, which may be `data`; their entries have a part `fit` more.
    """
    tasks = len(model.tasks)
    costs = [attack.cost_with_search(tasks) if preparation.low else attack.cost(tasks) for attack in attacks]
    images = _describe_data(data)
    fit_images = images if fit_data is data else _describe_data(fit_data)
    return {
        "suite": dict(suite) if suite else None,
        "model": describe_model(model, name),
        "data": images,
        "tasks": [task.config() for task in model.tasks.values()],
        "constants": dict(constants),
        "attacks": [
            {
                "config": attack.config(),
                "white_box": attack.white_box,
                "forward_passes": passes.forward,
                "backward_passes": passes.backward,
            }
            | describe_fit(attack, tasks, fit_images)
            for attack, passes in zip(attacks, costs, strict=True)
        ],
        "ensembles": [dict(ensemble) for ensemble in ensembles],
        "preparation": preparation.description,
        "seed": seed,
        "batch_size": batch_size,
        "environment": numeric_environment(device),
    }


def _describe_data(data: PreparedDataset) -> dict[str, Any]:
    """Which images, for the plan; reads them all."""
    identity = data.identify()
    return {
        "name": data.name,
        "split": data.split,
        "images": len(data),
        "fingerprint": identity.fingerprint,
        "sha256": identity.digests,
    }

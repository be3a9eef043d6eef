"""The plan: everything that determines a run's numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mtlattack.attacks import Attack
from mtlattack.data import PreparedDataset
from mtlattack.evaluation.environment import describe_model, numeric_environment
from mtlattack.evaluation.model import Model
from mtlattack.evaluation.preparation import Preparation


def make_plan(
    model: Model,
    data: PreparedDataset,
    attacks: Sequence[Attack],
    *,
    name: str | None,
    suite: Mapping[str, Any] | None,
    preparation: Preparation,
    batch_size: int,
    device: torch.device,
    seed: int,
) -> dict[str, Any]:
    """The plan of a run as plain JSON: two runs with equal plans end with equal numbers.

    But for rounding where the device's memory did not hold a batch of this size.
    """
    tasks = len(model.tasks)
    costs = [attack.cost_with_search(tasks) if preparation.low else attack.cost(tasks) for attack in attacks]
    return {
        "suite": dict(suite) if suite else None,
        "model": describe_model(model, name),
        "data": {
            "name": data.name,
            "split": data.split,
            "images": len(data),
            "fingerprint": data.fingerprint(),
        },
        "tasks": [task.config() for task in model.tasks.values()],
        "attacks": [
            {"config": attack.config(), "forward_passes": passes.forward, "backward_passes": passes.backward}
            for attack, passes in zip(attacks, costs, strict=True)
        ],
        "preparation": preparation.description,
        "seed": seed,
        "batch_size": batch_size,
        "environment": numeric_environment(device),
    }

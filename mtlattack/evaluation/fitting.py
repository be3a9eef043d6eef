"""Attacks that are fitted on images before they are run."""

from collections.abc import Sequence
from typing import Any, overload

import torch

from mtlattack.attacks import Attack, UniversalAttack
from mtlattack.attacks.universal import Labelled
from mtlattack.data import LabelledImages, join_batches
from mtlattack.errors import InputError
from mtlattack.evaluation.environment import describe_data
from mtlattack.evaluation.preparation import Preparation
from mtlattack.evaluation.ranks import ALONE, Ranks

# Images at a time, whatever the run's batch size: a fit depends on it.
BATCH_SIZE = 16


class FittingBatches(Sequence[Labelled]):
    """The images of `data` with their labels on a device, in order, 16 at a time, read when they are asked for."""

    def __init__(self, data: LabelledImages, device: torch.device) -> None:
        self._data, self._device = data, device

    def __len__(self) -> int:
        return -(-len(self._data) // BATCH_SIZE)

    @overload
    def __getitem__(self, position: int) -> Labelled: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Labelled]: ...
    def __getitem__(self, position: int | slice) -> Labelled | Sequence[Labelled]:
        if isinstance(position, slice):
            return [self[i] for i in range(len(self))[position]]
        start = range(len(self))[position] * BATCH_SIZE
        rows = range(start, min(start + BATCH_SIZE, len(self._data)))
        batch = join_batches([self._data[row] for row in rows]).to(self._device)
        return batch.images, batch.targets


def fitted(attack: Attack, prepared: Preparation, data: LabelledImages, device: torch.device) -> Attack:
    """The attack as it can be run: fitted on `data` if it needs to be, the same for the same images."""
    if not isinstance(attack, UniversalAttack):
        return attack
    try:
        return attack.fit(prepared.judge, FittingBatches(data, device), search=prepared.search)
    except InputError as error:
        raise InputError(f"{attack}, fitted on {data.split} of {data.name}: {error}") from None


def describe_fit(attack: Attack, num_tasks: int, data: LabelledImages, ranks: Ranks = ALONE) -> dict[str, Any]:
    """For the plan: on what `data` an attack is fitted, and the passes that this takes for each of those images; one of
    `ranks` reads them."""
    if not isinstance(attack, UniversalAttack):
        return {}
    cost = attack.fitting_cost(num_tasks)
    passes = {"forward_passes": cost.forward, "backward_passes": cost.backward}
    return {"fit": {"data": ranks.once(lambda: describe_data(data)), "batch_size": BATCH_SIZE, **passes}}

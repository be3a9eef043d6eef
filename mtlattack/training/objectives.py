"""What a training step minimises: clean losses, adversarial ones, or TRADES."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mtlattack.attacks import Attack
from mtlattack.data import Batch
from mtlattack.tasks import TaskMap
from mtlattack.training.divergence import DivergenceView, divergence
from mtlattack.training.precision import MixedPrecision
from mtlattack.training.recipes import Adversarial


@dataclass(frozen=True)
class Term:
    """A summand of the objective: its factor, and the mean loss of each task. `name` is empty for clean losses."""

    name: str
    factor: float
    losses: dict[str, Tensor]


TrainingObjective = Callable[[MixedPrecision, Batch], list[Term]]


def create_objective(adversarial: Adversarial | None, seed: int) -> TrainingObjective:
    """The objective of a recipe for one epoch; `seed` draws the attack's random starts."""
    if adversarial is None:
        return clean
    attack = adversarial.create_attack(seed)
    if adversarial.method == "trades":
        return partial(trades, attack=attack, beta=adversarial.beta)
    return partial(adversarial_only if adversarial.method == "adversarial" else clean_and_adversarial, attack=attack)


def clean(model: MixedPrecision, batch: Batch) -> list[Term]:
    """The losses on the images as they are."""
    return [Term("", 1.0, mean_losses(model.tasks, model(batch.images), batch.targets))]


def adversarial_only(model: MixedPrecision, batch: Batch, attack: Attack) -> list[Term]:
    """The losses on attacked images alone (Madry et al. 2018, eq. 2.1); the attack sees the network in eval mode."""
    images = attack(model, batch.images, batch.targets, batch.ids)
    return [Term("adversarial", 1.0, mean_losses(model.tasks, model(images), batch.targets))]


def clean_and_adversarial(model: MixedPrecision, batch: Batch, attack: Attack) -> list[Term]:
    """The mean of clean and adversarial losses, a batch of each (Goodfellow et al. 2015, α = ½)."""
    (attacked,) = adversarial_only(model, batch, attack)
    (plain,) = clean(model, batch)
    return [Term("", 0.5, plain.losses), Term("adversarial", 0.5, attacked.losses)]


def trades(model: MixedPrecision, batch: Batch, attack: Attack, beta: float) -> list[Term]:
    """Clean losses + β · divergence of predictions on attacked images from those on clean ones, for every task.

    TRADES (Zhang et al. 2019, eq. 5) task by task: the attack climbs the divergences, its aggregator weighs them.
    """
    with torch.no_grad():
        reference = {name: p.detach() for name, p in DivergenceView.still(model, batch.images).items()}
    images = attack(DivergenceView(model), batch.images, reference, batch.ids)
    plain, attacked = model(batch.images), model(images)
    apart = {name: divergence(task, attacked[name], plain[name]).mean() for name, task in model.tasks.items()}
    return [Term("", 1.0, mean_losses(model.tasks, plain, batch.targets)), Term("divergence", beta, apart)]


def mean_losses(tasks: TaskMap, predictions: dict[str, Tensor], targets: dict[str, Any]) -> dict[str, Tensor]:
    """Each task's loss, averaged over the batch."""
    return {name: task.loss(predictions[name], targets[name]).mean() for name, task in tasks.items()}

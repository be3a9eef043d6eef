"""Stage 2: a new head on a frozen backbone, trained on clean images or attacked through the backbone.

The perturbation lives in the image in both stages (Watkins et al., NeurIPS 2024, section 2).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mtlattack.attacks import Attack
from mtlattack.data import Batch
from mtlattack.errors import InputError
from mtlattack.models import MultiTaskNetwork
from mtlattack.training.optimization import create_optimizer, one_cycle

Features = dict[str, list[Tensor]]
"""By task, finest first."""
_AT_ONCE = 32


@dataclass(frozen=True)
class HeadTraining:
    """AdamW on a one-cycle schedule, on images as they are or, with an `attack`, on attacked ones alone."""

    steps: int = 100
    batch_size: int = 16
    learning_rate: float = 1e-2
    weight_decay: float = 1e-2
    attack: Attack | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("steps", self.steps), ("batch_size", self.batch_size)):
            if value < 1:
                raise InputError(f"{name} {value}, expected at least 1")
        for name, rate in (("learning_rate", self.learning_rate), ("weight_decay", self.weight_decay)):
            if not 0 <= rate < float("inf") or (name == "learning_rate" and rate == 0):
                raise InputError(f"{name} {rate:g}, expected a finite number above 0")


def learn_head(network: MultiTaskNetwork, images: Batch, training: HeadTraining) -> list[float]:
    """Train the heads of a network in place, its backbone frozen, batch statistics too; the loss of each step.

    Images are taken in epochs of a random order; without an attack each goes through the backbone once, and what comes
    of it is kept in memory. InputError for labels that a task does not have, and for a loss that is not finite.
    """
    missing = [name for name in network.tasks if name not in images.targets]
    if missing:
        raise InputError(f"no labels for {', '.join(missing)}; there are {', '.join(images.targets) or 'none'}")
    network.eval()
    optimizer = create_optimizer(network.heads, training.learning_rate, training.weight_decay)
    order = _order(len(images.ids), training)
    known = {} if training.attack else _features(network, images.images)
    losses = []
    for step in range(training.steps):
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * one_cycle((step + 0.5) / training.steps)
        batch = _rows(images, order[step])
        if training.attack:
            names = [f"{step}/{name}" for name in batch.ids]
            features = _features(network, training.attack(network, batch.images, batch.targets, names))
        else:
            features = {name: [level[order[step]] for level in levels] for name, levels in known.items()}
        loss = _loss(network, features, batch)
        if not torch.isfinite(loss):
            raise InputError(
                f"the head's loss is {float(loss.detach()):g} in step {step + 1}; expected a lower learning rate"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def _features(network: MultiTaskNetwork, images: Tensor) -> Features:
    """What the frozen backbone makes of images, some at a time."""
    with torch.no_grad():
        parts = [network.features(network.normalise(some)) for some in images.split(_AT_ONCE)]
    return {
        name: [torch.cat(levels) for levels in zip(*(part[name] for part in parts), strict=True)] for name in parts[0]
    }


def _loss(network: MultiTaskNetwork, features: Features, batch: Batch) -> Tensor:
    """Mean over the batch, summed over tasks; only heads are in training mode, and only they have gradients."""
    network.heads.train()
    size = (batch.images.shape[-2], batch.images.shape[-1])
    each = [
        task.loss(network.heads[name](features[name], size), batch.targets[name]).mean()
        for name, task in network.tasks.items()
    ]
    network.heads.eval()
    return torch.stack(each).sum()


def _order(count: int, training: HeadTraining) -> list[Tensor]:
    """Which images each step takes: all, in a new order, before any comes again; at most as many as there are."""
    draw = torch.Generator().manual_seed(training.seed)
    size = min(training.batch_size, count)
    needed = training.steps * size
    rounds = [torch.randperm(count, generator=draw) for _ in range(-(-needed // count))]
    return list(torch.cat(rounds)[:needed].view(training.steps, size))


def _rows(images: Batch, which: Tensor) -> Batch:
    return Batch(
        [images.ids[int(row)] for row in which],
        images.images[which],
        {name: labels[which] for name, labels in images.targets.items()},
    )

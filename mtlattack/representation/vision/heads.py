"""Stage 2: a new head on a frozen backbone, trained on clean images or attacked through the backbone.

The perturbation lives in the image in both stages (Watkins et al., NeurIPS 2024, section 2).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mtlattack.attacks import Attack
from mtlattack.data import Batch
from mtlattack.errors import InputError
from mtlattack.models import MultiTaskNetwork, create_network
from mtlattack.models.tree import TreeNetwork
from mtlattack.tasks import Task
from mtlattack.training.optimization import create_optimizer, one_cycle


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


def with_new_head(source: MultiTaskNetwork, target: Task, seed: int = 0) -> MultiTaskNetwork:
    """A network of the target alone: the source's backbone, and a head that is drawn by `seed`; the source stays as it
    is.

    InputError for a backbone that tasks do not share to its end, and for a target that the source was trained on.
    """
    if not isinstance(source, TreeNetwork) or any(len(groups) > 1 for groups in source.layout.partitions):
        raise InputError("expected a backbone that all tasks share to its end: sharing 'tree', layout 'shared'")
    if target.name in source.tasks or _kind(target) in map(_kind, source.tasks.values()):
        raise InputError(
            f"the target {target.name} is a source task ({', '.join(source.tasks)}); expected a task that is no source"
        )
    config = source.config.model_copy(update={"tasks": [target.config()], "layout": "shared"})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = create_network(config)
    network.stages.load_state_dict(source.stages.state_dict())  # type: ignore[union-attr,operator]
    return network.eval()


def learn_head(network: MultiTaskNetwork, images: Batch, training: HeadTraining) -> list[float]:
    """Train the heads of a network in place, its backbone frozen, batch statistics too; the loss of each step.

    Images are taken in epochs of a random order. InputError for labels that a task does not have, and for a loss that
    is not finite.
    """
    missing = [name for name in network.tasks if name not in images.targets]
    if missing:
        raise InputError(f"no labels for {', '.join(missing)}; there are {', '.join(images.targets) or 'none'}")
    network.eval()
    optimizer = create_optimizer(network.heads, training.learning_rate, training.weight_decay)
    order = _order(len(images.ids), training)
    losses = []
    for step in range(training.steps):
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * one_cycle((step + 0.5) / training.steps)
        batch = _rows(images, order[step])
        inputs = batch.images
        if training.attack is not None:
            inputs = training.attack(network, inputs, batch.targets, [f"{step}/{name}" for name in batch.ids])
        loss = _loss(network, inputs, batch.targets)
        if not torch.isfinite(loss):
            raise InputError(
                f"the head's loss is {float(loss.detach()):g} in step {step + 1}; expected a lower learning rate"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def _loss(network: MultiTaskNetwork, inputs: Tensor, targets: dict[str, Tensor]) -> Tensor:
    """Mean over the batch, summed over tasks; only heads are in training mode, and only they have gradients."""
    with torch.no_grad():
        features = network.features(network.normalise(inputs))
    network.heads.train()
    size = (inputs.shape[-2], inputs.shape[-1])
    each = [
        task.loss(network.heads[name](features[name], size), targets[name]).mean()
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


def _kind(task: Task) -> dict[str, object]:
    """What a task predicts, whatever its name."""
    return {key: value for key, value in task.config().items() if key != "name"}

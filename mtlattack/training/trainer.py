"""Clean training: all tasks together, resumable after every epoch."""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from mtlattack.data import Batch, PreparedDataset, load_dataset, loader
from mtlattack.errors import InputError
from mtlattack.models import MultiTaskNetwork, create_network
from mtlattack.progress import progress_bar
from mtlattack.training.augmentation import Augmentation, AugmentedDataset
from mtlattack.training.recipes import Recipe


@dataclass
class TrainingState:
    """What a training run consists of between two epochs."""

    network: MultiTaskNetwork
    optimizer: torch.optim.Optimizer
    identity: dict[str, Any]
    epoch: int = 0
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        """Write the state whole or not at all."""
        partial = path.with_suffix(".partial")
        content = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(content | {"identity": self.identity, "epoch": self.epoch, "seconds": self.seconds}, partial)
        os.replace(partial, path)

    def load(self, path: Path) -> None:
        """Go on from a saved state; InputError if it is damaged or another run's."""
        try:
            content = torch.load(path, weights_only=True)
            identity = content["identity"]
            differing = [key for key, value in self.identity.items() if identity.get(key) != value]
            if differing:
                raise ValueError(f"other {', '.join(differing)}")
            self.network.load_state_dict(content["network"])
            self.optimizer.load_state_dict(content["optimizer"])
            self.epoch, self.seconds = content["epoch"], content["seconds"]
        except (RuntimeError, ValueError, KeyError, TypeError, EOFError, UnpicklingError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path} is no state of this run ({reason}); remove it to start anew") from None


def train(
    recipe: Recipe,
    state_path: Path,
    *,
    data: str | None = None,
    limit: int | None = None,
    workers: int = 1,
    report: Callable[[str], None] = print,
) -> TrainingState:
    """Train the recipe's network; the state is saved after every epoch and found again by the next call.

    `data` overrides the recipe's data set and `limit` its number of images. Raises InputError for labels that the data
    does not have, and FloatingPointError when the loss is no longer finite.
    """
    dataset = training_data(recipe, data, limit)
    torch.manual_seed(recipe.seed)
    tasks = [task.config() for task in dataset.tasks.values()]
    network = create_network({**recipe.network, "tasks": tasks}).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    identity = {**recipe.model_dump(), "data": dataset.name, "images": len(dataset)}
    state = TrainingState(network, _optimizer(network, recipe), identity)
    if state_path.is_file():
        state.load(state_path)
        report(f"resuming {recipe.name} after epoch {state.epoch}")
    augmented = AugmentedDataset(
        dataset, dataset.tasks, Augmentation(recipe.mirror, recipe.zoom, recipe.colour), recipe.seed
    )
    while state.epoch < recipe.epochs:
        started = time.monotonic()
        losses = _train_epoch(state, augmented, recipe, workers)
        state.epoch += 1
        state.seconds += time.monotonic() - started
        state.save(state_path)
        text = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        report(f"epoch {state.epoch}/{recipe.epochs}  {text}  {state.seconds:.0f} s")
    return state


def training_data(recipe: Recipe, data: str | None = None, limit: int | None = None) -> PreparedDataset:
    """The training split with the recipe's tasks."""
    everything = load_dataset(data or recipe.data, "train", limit=limit)
    missing = [name for name in recipe.tasks if name not in everything.tasks]
    if missing:
        raise InputError(
            f"{everything.path} has no labels for {', '.join(missing)}; it has {', '.join(everything.tasks)}"
        )
    tasks = {name: everything.tasks[name] for name in recipe.tasks}
    return load_dataset(data or recipe.data, "train", tasks=tasks, limit=limit)


def one_cycle(progress: float, warmup: float = 0.1) -> float:
    """Learning rate factor at a training progress in [0, 1]: linear up to 1, then a half cosine down to 0."""
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def _train_epoch(state: TrainingState, dataset: AugmentedDataset, recipe: Recipe, workers: int) -> dict[str, float]:
    """One pass over the data; mean loss by task."""
    dataset.epoch = state.epoch
    seed = recipe.seed * 100_003 + state.epoch
    torch.manual_seed(seed)  # For dropout: a resumed run draws what an uninterrupted one would.
    batches = loader(dataset, recipe.batch_size, workers=workers, shuffle_seed=seed)
    totals = dict.fromkeys(state.network.tasks, 0.0)
    state.network.train()
    with progress_bar(f"epoch {state.epoch + 1}/{recipe.epochs}", len(dataset)) as bar:
        for step, batch in enumerate(batches):
            factor = one_cycle((state.epoch + (step + 0.5) / len(batches)) / recipe.epochs)
            for group in state.optimizer.param_groups:
                group["lr"] = recipe.learning_rate * factor
            for name, value in _train_step(state, batch, recipe).items():
                totals[name] += value * len(batch.ids)
            bar.advance(len(batch.ids))
    return {name: total / len(dataset) for name, total in totals.items()}


def _train_step(state: TrainingState, batch: Batch, recipe: Recipe) -> dict[str, float]:
    images = batch.images.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        predictions = state.network(images)
    losses = {
        name: task.loss(predictions[name].float(), batch.targets[name]).mean()
        for name, task in state.network.tasks.items()
    }
    total = sum(recipe.task_weights.get(name, 1.0) * loss for name, loss in losses.items())
    assert isinstance(total, torch.Tensor)
    if not torch.isfinite(total):
        raise FloatingPointError(f"loss {float(total.detach())} in epoch {state.epoch + 1}; lower the learning rate")
    state.optimizer.zero_grad(set_to_none=True)
    total.backward()
    nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.optimizer.step()
    return {name: float(loss.detach()) for name, loss in losses.items()}


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    # Scales and biases are not decayed: decay would only pull them towards a meaningless 0.
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)

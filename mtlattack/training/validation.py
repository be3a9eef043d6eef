"""Losses and metrics of a network on images it does not train on."""

import torch
from torch import Tensor

from mtlattack.data import PreparedDataset, loader
from mtlattack.tasks import TaskMap
from mtlattack.training.precision import MixedPrecision


def validate(
    model: MixedPrecision, dataset: PreparedDataset, batch_size: int, device: torch.device
) -> dict[str, float]:
    """`<task>.loss` (mean over images) and `<task>.<metric>` of all tasks, in eval mode; the model's mode is kept."""
    tasks: TaskMap = model.tasks
    losses = dict.fromkeys(tasks, 0.0)
    sums: dict[str, Tensor] = {}
    mode = model.training
    model.eval()
    with torch.inference_mode():
        for batch in loader(dataset, batch_size):
            moved = batch.to(device)
            predictions = model(moved.images.contiguous(memory_format=torch.channels_last))
            for name, task in tasks.items():
                losses[name] += float(task.loss(predictions[name], moved.targets[name]).sum())
                statistics = task.statistics(predictions[name], moved.targets[name]).cpu().double().sum(0)
                sums[name] = sums.get(name, torch.zeros_like(statistics)) + statistics
    model.train(mode)
    row = {}
    for name, task in tasks.items():
        row[f"{name}.loss"] = losses[name] / len(dataset)
        row |= {f"{name}.{metric}": float(value) for metric, value in task.metrics(sums[name].numpy()).items()}
    return row

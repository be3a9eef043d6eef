"""How many images are attacked at a time: a number, or as many as the memory at hand holds, decided once a run."""

from typing import Literal

import torch
from torch import Tensor, nn

from mtlattack.attacks import create_aggregator
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.problem import Problem
from mtlattack.data import Batch
from mtlattack.devices import memory_at_hand
from mtlattack.errors import InputError
from mtlattack.evaluation.preparation import Preparation
from mtlattack.tasks import Model

BatchSize = int | Literal["auto"]
# No pass gets faster by more; and so many images lie in memory before they are attacked.
_MOST = 256
# Of the memory at hand a half is taken, and twice what a pass keeps: it also computes, and attacks keep points.
_SHARE, _BESIDE = 0.5, 2.0


def check_batch_size(size: BatchSize) -> None:
    """InputError unless it is a whole number of at least 1, or auto."""
    if size != "auto" and (isinstance(size, str | bool) or size < 1):
        raise InputError(f"batch_size {size}, expected at least 1, or auto")


def largest_batch(prepared: Preparation, batch: Batch, images: int) -> int:
    """The power of two, at most 256 and at most what a run on so many `images` needs, that the memory of the device of
    `batch` holds: measured on a pass of its first image by either model, by what is kept for the backward pass."""
    one = batch.part(slice(0, 1))
    each = max(_kept(model, one) for model in (prepared.judge, prepared.search))
    fits = int(_SHARE * memory_at_hand(batch.images.device) / (_BESIDE * each))
    size = 1
    while size < images and 2 * size <= min(fits, _MOST):
        size *= 2
    return size


def _kept(model: Model, one: Batch) -> int:
    """Bytes that a gradient of all losses in an image needs at a time, and the image and its gradient."""
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    problem = Problem(model, model, model.tasks, one.targets, one.images)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        Objective(problem, create_aggregator("total")).gradient(one.images)
    if isinstance(model, nn.Module):  # One copy of the weights, however many images there are.
        for weight in model.parameters():
            storages.pop(weight.untyped_storage().data_ptr(), None)
    return sum(storages.values()) + 2 * one.images.nbytes

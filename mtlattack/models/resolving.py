"""A model from what a user types: a zoo name, a checkpoint's path, or `module:factory`."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from mtlattack.errors import InputError
from mtlattack.models.checkpoints import SUFFIX, checkpoint_name, load_checkpoint
from mtlattack.models.zoo import create_model
from mtlattack.tasks import Task


def resolve_model(model: str, checkpoint: Path | None = None) -> tuple[nn.Module, str]:
    """The model and the name it goes by.

    `module:factory` is imported (the current folder counts) and called without arguments; `checkpoint` fills it with
    weights, a `.pt`/`.pth` being read with `weights_only=True` alone. InputError says what is wrong with either.
    """
    if ":" in model:
        return _from_factory(model, checkpoint), model if checkpoint is None else f"{model}@{checkpoint.stem}"
    if checkpoint is not None:
        raise InputError(f"--checkpoint goes with --model module:factory, not with {model!r}")
    if model.endswith(SUFFIX) or "/" in model:
        path = Path(model)
        return load_checkpoint(path), checkpoint_name(path)
    return create_model(model), model


def _from_factory(reference: str, checkpoint: Path | None) -> nn.Module:
    module_name, _, factory_name = reference.partition(":")
    sys.path.insert(0, "")
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"model {reference!r}: {error}") from None
    finally:
        sys.path.remove("")
    if not callable(factory):
        raise InputError(f"model {reference!r}: {factory_name} is a {type(factory).__name__}, expected a function")
    network = factory()
    tasks = getattr(network, "tasks", None)
    if not isinstance(network, nn.Module) or not _are_tasks(tasks):
        raise InputError(
            f"{reference} gives {type(network).__name__}, expected an nn.Module with tasks; see models.wrap"
        )
    if checkpoint is not None:
        _load_weights(network, checkpoint)
    return network.eval()


def _are_tasks(tasks: object) -> bool:
    return isinstance(tasks, Mapping) and bool(tasks) and all(isinstance(task, Task) for task in tasks.values())


def _load_weights(network: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise InputError(f"no checkpoint file {path}")
    try:
        if path.suffix == SUFFIX:
            weights = safetensors.torch.load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(weights)
    except Exception as error:  # unpicklers and zip readers raise what they like
        raise InputError(f"{path} does not fit the model: {str(error).splitlines()[0]}") from None

"""What cells share: the last model and the last images stay loaded, and what was read of the images stays known."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.models import resolve_model
from mtlattack.tasks import TaskMap


class Stock:
    """Gives models and images as `resolve_model` and `load_dataset` do, those of the last call without loading.

    Runs work on copies of a model, so that the next cell finds it as it was.
    """

    def __init__(self) -> None:
        self._model: tuple[Any, tuple[nn.Module, str]] | None = None
        self._images: tuple[Any, PreparedDataset] | None = None

    def model(self, reference: str, checkpoint: Path | None) -> tuple[nn.Module, str]:
        """The model in eval mode and its name; InputError as for `resolve_model`."""
        key = reference, checkpoint
        if self._model is None or self._model[0] != key:
            self._model = None  # its memory is free before the next one is loaded
            # A factory that draws its weights without a seed gives the same model to every worker.
            torch.manual_seed(torch.Generator().initial_seed())
            self._model = key, resolve_model(reference, checkpoint)
        return self._model[1]

    def images(
        self, source: str, split: str, *, tasks: TaskMap, limit: int | None = None, every: int = 1
    ) -> PreparedDataset:
        """A split of a data set with labels for `tasks`; InputError as for `load_dataset`."""
        configs = json.dumps([task.config() for task in tasks.values()])
        key = source, split, limit, every, configs
        if self._images is None or self._images[0] != key:
            self._images = None
            self._images = key, load_dataset(source, split, tasks=tasks, limit=limit, every=every)
        return self._images[1]

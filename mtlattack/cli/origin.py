"""Model and images of a finished run or of crafted images: as who reads them says, or else as their plan does."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from mtlattack import data as datasets
from mtlattack import models
from mtlattack.data import PreparedDataset
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation.keeping import Origin
from mtlattack.tasks import TaskMap


def model_of(
    said: Origin | None, place: Path, model: str | None = None, checkpoint: Path | None = None
) -> tuple[nn.Module, str]:
    """The model and its name; InputError where none is given and the file at `place` names none that is here."""
    if model is not None or checkpoint is not None:
        return models.resolve_model(model or str(checkpoint), checkpoint if model else None)
    if said is None:
        raise InputError(f"{place} does not say on which model it was made; give one with --model")
    try:
        return models.resolve_named(said.model.name, place)
    except UnknownNameError:
        raise InputError(
            f"{place} was made on {said.model.name!r}, which is no name in the zoo; give the model with --model"
        ) from None


def images_of(
    said: Origin | None, place: Path, tasks: TaskMap, data: str | None = None, split: str | None = None,
    ids: Sequence[str] | None = None,
) -> PreparedDataset:  # fmt: skip
    """The clean images with labels of these tasks; InputError where none are given and the file names none that are
    here."""
    if data is None and said is None:
        raise InputError(f"{place} does not say of which data it was made; give them with --data")
    split = split or (said.data.split if said else "test")
    try:
        return datasets.load_dataset(data or said.data.name, split, tasks=tasks, ids=ids)  # type: ignore[union-attr]
    except UnknownNameError:
        if data is not None or said is None:
            raise
        raise InputError(
            f"{place} was made of {said.data.name!r}, which is no data set by name; give the file with --data"
        ) from None

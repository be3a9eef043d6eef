"""What somebody gives for data, and the items that it comes to."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    default_collate,
    default_convert,
)
from torch.utils.data import Dataset as TorchDataset

from mtlattack.data.ids import check_ids
from mtlattack.data.labelled import LabelledImages
from mtlattack.data.own.arrays import describe
from mtlattack.data.own.dataset import IMAGE, Items, OwnImages
from mtlattack.data.own.labels import targets_by_task
from mtlattack.data.prepared import Batch, join_batches
from mtlattack.errors import InputError
from mtlattack.tasks import TaskMap, alone
from mtlattack.wording import counted

AnyData = LabelledImages | TorchDataset[Any] | DataLoader[Any] | Sequence[Any] | Mapping[str, Any]
"""Prepared data; a data set of (image, labels by task) or of dicts with `image`, a loader of one, a list of such
items; or images and labels stacked, `(images, labels by task)` or a dict with `image`."""
_EXPECTED = (
    "expected prepared data, a data set or a list of (image, labels by task), a DataLoader of one, "
    "or (images, labels by task)"
)


def labelled_images(data: Any, tasks: TaskMap) -> LabelledImages:
    """What is given as data, ready for an evaluation of `tasks`: as it is if it is prepared.

    Of a loader its data set counts, in its own order, and what its `collate_fn` makes of an item; the images of others
    are called by their positions unless their data set has `ids`. InputError for what is none of AnyData, has no image,
    or shows images by a draw.
    """
    if isinstance(data, LabelledImages):
        return data
    items, source = _items(data, {name: alone(task) for name, task in tasks.items()})
    if not len(items):
        raise InputError(f"the data is {describe(data)} without an image, expected one at least")
    named = {part: getattr(source, part, None) for part in ("name", "split")}
    texts = {part: text if isinstance(text, str) and text else None for part, text in named.items()}
    return OwnImages(
        items,
        {name: alone(task) for name, task in tasks.items()},
        name=texts["name"] or (type(source).__name__ if source is not None else "own-images"),
        split=texts["split"] or "all",
        ids=_ids(source, len(items)),
    )


def as_batch(images: Any, targets: Any, tasks: TaskMap) -> Batch:
    """Images with their labels, stacked in whatever form, as one batch."""
    data = labelled_images((images, targets), tasks)
    return join_batches([data[position] for position in range(len(data))])


def _items(data: Any, tasks: TaskMap) -> tuple[Items, Any]:
    """What is read by position, and the data set that has it, if any."""
    if isinstance(data, DataLoader):
        return _of_loader(data), data.dataset
    if isinstance(data, IterableDataset):
        raise InputError(f"{type(data).__name__} is read in a row alone, expected a data set with positions")
    if isinstance(data, Mapping) and IMAGE in data:
        return _Stacked(data[IMAGE], {name: each for name, each in data.items() if name != IMAGE}), None
    if isinstance(data, list | tuple):
        if len(data) == 2 and _is_stack(data):
            return _Stacked(data[0], targets_by_task(data[1], tasks, "these images")), None
        return data, None
    if isinstance(data, str) or not (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
        hint = f"; load_dataset({data!r}) opens prepared data" if isinstance(data, str) else ""
        raise InputError(f"the data is {describe(data)}, {_EXPECTED}{hint}")
    if isinstance(data, Mapping | Tensor | np.ndarray):
        raise InputError(f"the data is {describe(data)}, {_EXPECTED}")
    return data, data


class _Stacked:
    """Images and labels that are stacked along their first dimension."""

    def __init__(self, images: Any, labels: Mapping[str, Any]) -> None:
        self.images, self.labels = images, labels
        for name, values in labels.items():
            if not hasattr(values, "__len__") or len(values) != len(images):
                raise InputError(
                    f"{name} is {describe(values)}, expected one for each of the {counted(len(images), 'image')}"
                )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> Any:
        return self.images[position], {name: values[position] for name, values in self.labels.items()}


class _Collated:
    """Items as a loader's `collate_fn` makes them, one by one."""

    def __init__(self, items: Items, collate: Callable[[list[Any]], Any]) -> None:
        self.items, self.collate = items, collate

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position: int) -> Any:
        made = self.collate([self.items[position]])
        if isinstance(made, Batch):
            return made
        if isinstance(made, Mapping):
            return {name: values[0] for name, values in made.items()}
        if isinstance(made, Sequence) and len(made) == 2:
            images, labels = made
            one = {name: each[0] for name, each in labels.items()} if isinstance(labels, Mapping) else labels[0]
            return images[0], one
        raise InputError(f"the DataLoader's collate_fn makes {describe(made)}, expected (images, labels by task)")


def _of_loader(loader: DataLoader[Any]) -> Items:
    """The items of a loader's data set; InputError if it shows others, or not each of them once."""
    data: Any = loader.dataset
    if isinstance(data, IterableDataset):
        raise InputError(f"{type(data).__name__} is read in a row alone, expected a data set with positions")
    sampler, batches = loader.sampler, loader.batch_sampler
    usual = batches is None or type(batches).__module__.startswith("torch.")
    whole = isinstance(sampler, SequentialSampler) or (
        isinstance(sampler, RandomSampler) and not sampler.replacement and sampler.num_samples == len(data)
    )
    if not (usual and whole):
        raise InputError(
            f"the DataLoader draws images by {type(sampler if usual else batches).__name__}, expected each once: "
            "give the data set, or a torch.utils.data.Subset of it"
        )
    left_out = len(data) % loader.batch_size if loader.drop_last and loader.batch_size else 0
    if left_out:
        raise InputError(
            f"the DataLoader leaves out the last {left_out} of {counted(len(data), 'image')} (drop_last=True), "
            "expected all: give the data set"
        )
    plain = loader.collate_fn in (default_collate, default_convert)
    return data if plain else _Collated(data, loader.collate_fn)


def _is_stack(pair: list[Any] | tuple[Any, ...]) -> bool:
    """Whether two things are images and their labels; else they are two items."""
    stacked = isinstance(pair[0], Tensor | np.ndarray) and pair[0].ndim == 4
    return stacked or (isinstance(pair, tuple) and isinstance(pair[0], Tensor | np.ndarray | list))


def _ids(source: Any, count: int) -> list[str]:
    """The images' names, as the data set has them in `ids`, or their positions; InputError for one of two images."""
    ids = _own_ids(source)
    if ids is None:
        return [str(position) for position in range(count)]
    if len(ids) != count:
        raise InputError(f"{describe(source)} has {counted(len(ids), 'id')} for {counted(count, 'image')}")
    check_ids(ids, describe(source))
    return ids


def _own_ids(source: Any) -> list[str] | None:
    if isinstance(source, Subset):
        inner = _own_ids(source.dataset)
        return None if inner is None else [inner[position] for position in source.indices]
    ids = getattr(source, "ids", None)
    if isinstance(ids, Sequence | np.ndarray | Tensor) and not isinstance(ids, str):
        return [str(identity) for identity in ids]
    return None

"""Somebody's items, read one by one as an evaluation wants them, and known by what was read first."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from mtlattack.data.faults import Faults
from mtlattack.data.identity import Identifier, Identity
from mtlattack.data.own.images import Scale, levels_of
from mtlattack.data.own.labels import stored_form, target_of, targets_by_task
from mtlattack.data.prepared import Batch
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.tasks import Task, TaskMap

IMAGE = "image"


class Items(Protocol):
    """What is read by position: an image with its labels."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Any: ...


class OwnImages(TorchDataset[Batch]):
    """Somebody's images with labels for those of `tasks` that the first of them has, as `LabelledImages`.

    Nothing is held in memory: an item is read when it is asked for, and must be the same each time.
    """

    def __init__(self, items: Items, tasks: TaskMap, *, name: str, split: str, ids: Sequence[str]) -> None:
        self._items, self.name, self.split, self.ids = items, name, split, list(ids)
        self._read: list[str] = []
        self._identity: Identity | None = None
        image, targets = self._parts(0, tasks)
        self._scale = Scale.of(image, self._what(0))
        height, width = self._scale.image(image, self._what(0)).shape[-2:]
        self.size = (height, width)
        self.labels = [str(key) for key in targets]
        self._tasks = {name: task for name, task in tasks.items() if name in targets}

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks whose targets the items carry, by name."""
        return self._tasks

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: int) -> Batch:
        batch = self._batch(position)
        if self._read and _digest(batch) != self._read[position]:
            raise InputError(
                f"{self._what(position)} is another one than when it was first read: "
                "expected a data set without chance (augmentation?)"
            )
        if not self._read:
            faults = Faults()
            self._add_faults(faults, batch)
            faults.check(self.name)
        return batch

    def label_batches(self, task: str, size: int = 16) -> Iterator[Tensor]:
        """Targets of one of `tasks`, `[B, …]` of `size` images (fewer in the last), in order; reads the items.

        UnknownNameError for a task without a label here.
        """
        if task not in self._tasks:
            raise UnknownNameError(f"label of {self.name}:", task, self._tasks)
        batches = (range(len(self))[first : first + size] for first in range(0, len(self), size))
        return (torch.cat([self[position].targets[task] for position in some]) for some in batches)

    def identify(self) -> Identity:
        """What these images are, from reading each once, at the first call alone.

        Content that a prepared file would store alike has its digests. InputError for an item that cannot be read, and
        for labels that are none of their task's, of which it names the images.
        """
        if self._identity is None:
            apart = {IMAGE: IMAGE, **{name: task.kind for name, task in self._tasks.items()}}
            identifier, faults, read = Identifier(apart=apart), Faults(), []
            for position in range(len(self)):
                batch = self._batch(position)
                read.append(_digest(batch))
                self._add_faults(faults, batch)
                identifier.begin(self.ids[position])
                for name in sorted(apart):
                    identifier.add(apart[name], *self._stored(batch, name), apart=name)
            faults.check(self.name)
            self._read, self._identity = read, Identity(identifier.fingerprint(), identifier.apart())
        return self._identity

    def _stored(self, batch: Batch, name: str) -> tuple[Any, float]:
        if name == IMAGE:
            return levels_of(batch.images[0]).numpy(), 1
        return stored_form(self._tasks[name], batch.targets[name][0])

    def _add_faults(self, faults: Faults, batch: Batch) -> None:
        for name, task in self._tasks.items():
            faults.add(name, batch.ids[0], task.fault(batch.targets[name][0]))

    def _batch(self, position: int) -> Batch:
        what = self._what(position)
        image, labels = self._parts(position, self._tasks)
        pixels = self._scale.image(image, what)
        if tuple(pixels.shape[-2:]) != self.size:
            raise InputError(f"{what} is {tuple(pixels.shape[-2:])}, the first one {self.size}: expected one size")
        targets = {name: target_of(task, name, labels, self.size, what) for name, task in self._tasks.items()}
        return Batch([self.ids[position]], pixels[None], {name: target[None] for name, target in targets.items()})

    def _parts(self, position: int, tasks: TaskMap) -> tuple[Any, Mapping[str, Any]]:
        """Image and labels of an item as they are."""
        what, item = self._what(position), self._items[position]
        if isinstance(item, Batch):
            return item.images[0], {name: target[0] for name, target in item.targets.items()}
        if isinstance(item, Mapping):
            if IMAGE not in item:
                raise UnknownNameError(f"key of {what}:", IMAGE, [str(key) for key in item])
            return item[IMAGE], {str(key): value for key, value in item.items() if key != IMAGE}
        if isinstance(item, Sequence) and len(item) == 2:
            return item[0], targets_by_task(item[1], tasks, what)
        raise InputError(
            f"{what} is {_described(item)}, expected (image, labels by task) or a dict with {IMAGE!r} and the tasks"
        )

    def _what(self, position: int) -> str:
        return f"image {self.ids[position]!r} of {self.name}"


def _described(item: object) -> str:
    if isinstance(item, Sequence) and not isinstance(item, str):
        return f"a {type(item).__name__} of {len(item)}"
    return f"a {type(item).__name__}"


def _digest(batch: Batch) -> str:
    digest = hashlib.sha256()
    for values in (batch.images, *batch.targets.values()):
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()

"""Prepared data: one HDF5 file, one chunk an image, read lazily and safely by any number of workers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from mtlattack.data.faults import Faults
from mtlattack.data.identity import Identifier, Identity
from mtlattack.data.labels import stored_task
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.hdf5 import (
    DamagedError,
    attribute,
    attributes_of,
    check_inside,
    check_stored,
    count_of,
    open_hdf5,
    reading,
    strings_of,
)
from mtlattack.tasks import Task, TaskMap, UnknownKindError, alone
from mtlattack.wording import counted

FORMAT = "mtlattack-dataset"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Batch:
    """Some images with their labels: `images` float32 `[B, 3, H, W]` in [0, 1], targets by task, ids by position."""

    ids: list[str]
    images: Tensor
    targets: dict[str, Tensor]

    def to(self, device: torch.device, *, non_blocking: bool = False) -> "Batch":
        """The same batch on another device; `non_blocking` does not wait for a copy from pinned memory."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pinned(self) -> "Batch":
        """The same batch in memory that a GPU can fetch by itself."""
        return self._each(torch.Tensor.pin_memory)

    def part(self, rows: slice) -> "Batch":
        """Some of the images."""
        some = self._each(lambda tensor: tensor[rows])
        return Batch(self.ids[rows], some.images, some.targets)

    def filled(self, size: int) -> "Batch":
        """The batch with its images repeated in their order until there are `size`, at least as many as there are."""
        count = len(self.ids)
        if size == count:
            return self
        full = self._each(lambda tensor: repeated(tensor, size))
        return Batch([self.ids[place % count] for place in range(size)], full.images, full.targets)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return Batch(self.ids, change(self.images), {name: change(t) for name, t in self.targets.items()})


class PreparedDataset(TorchDataset[Batch]):
    """A split of a prepared file, or some of its images.

    `tasks` chooses the labels: each task is served by the stored label of its kind (and class count); by default all
    stored labels are. Of the images, or of `ids`, every so many-th is taken from the first on, and of these the first
    `limit`. Items are batches of one. Raises InputError for a file that is missing, truncated, of another
    format, or whose labels do not match its images.
    """

    def __init__(
        self,
        path: str | Path,
        split: str = "test",
        *,
        tasks: TaskMap | None = None,
        limit: int | None = None,
        every: int = 1,
        ids: Sequence[str] | None = None,
    ) -> None:
        self.path, self.split = Path(path), split
        self._file: h5py.File | None = None
        self._identity: Identity | None = None
        with open_prepared(self.path) as file, reading(self.path):
            splits = [name for name, item in file.items() if isinstance(item, h5py.Group)]
            if split not in splits:
                raise UnknownNameError(f"split in {self.path}:", split, splits)
            group = file[split]
            check_inside(group, file)
            self.name = str(attributes_of(file)["name"])
            self.size = (_pixels(file, "height"), _pixels(file, "width"))
            _check_counts(self.path, group)
            all_ids = strings_of(group, "id")
            stored = {name: stored_task(name, group[name]) for name in group if name not in ("image", "id")}
            self.label_tasks = {name: task for name, task in stored.items() if task is not None}
            """The task that each stored label serves, by the name of the label, whether it is one of `tasks` or not."""
            self._labels = _choose_labels(self.path, self.label_tasks, tasks, [x for x in stored if stored[x] is None])
            _check_shapes(self.path, group, self.size, dict(self._labels.values()))
            self.labels = [name for name in group if name not in ("image", "id")]
            self._attributes = {name: attributes_of(group[name]) for name in group if name != "id"}
        self._index = _select(all_ids, limit, every, ids, self.path)
        self.ids = [all_ids[i] for i in self._index]

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks whose targets the items carry, by name."""
        return {name: task for name, (_, task) in self._labels.items()}

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, position: int) -> Batch:
        group = self._group()
        with self._naming(position):
            image = torch.from_numpy(group["image"][self._index[position]]).permute(2, 0, 1).float() / 255
        targets = {name: self._target(name, group, position)[None] for name in self._labels}
        return Batch([self.ids[position]], image[None], targets)

    def _target(self, name: str, group: h5py.Group, position: int) -> Tensor:
        """One task's target of one image, `[…, H, W]`."""
        stored, task = self._labels[name]
        with self._naming(position):
            return task.decode(group[stored][self._index[position]], self._attributes[stored])

    @contextmanager
    def _naming(self, position: int) -> Iterator[None]:
        """Of what cannot be read, the error says in which image it is."""
        try:
            yield
        except (OSError, InputError) as error:
            raise InputError(f"{self.path}: image {self.ids[position]!r} of {self.split}: {error}") from None

    def label_batches(self, task: str, size: int = 16) -> Iterator[Tensor]:
        """Targets of one of `tasks`, `[B, …, H, W]` of `size` images (fewer in the last), in order; reads no others.

        UnknownNameError for a task without a label here, InputError for a label that cannot be read.
        """
        if task not in self._labels:
            raise UnknownNameError(f"label of {self.path}:", task, self._labels)
        if size < 1:
            raise InputError(f"size {size}, expected at least 1")
        batches = (range(len(self))[first : first + size] for first in range(0, len(self), size))
        return (torch.stack([self._target(task, self._group(), position) for position in some]) for some in batches)

    def identify(self) -> Identity:
        """What these images are, in order, from reading each image and all its stored labels once.

        Read at the first call alone. Raises InputError for an image that cannot be read, and for labels of `tasks` that
        are none (`Task.stored_fault`), of which it names the images.
        """
        if self._identity is None:
            group = self._group()
            stored = {"image": "image", **{task: label for task, (label, _) in self._labels.items()}}
            identifier, names = Identifier(apart=stored.values()), sorted(name for name in group if name != "id")
            scales = {name: self._attributes[name].get("scale", 1) for name in names}
            faults = Faults()
            for identity, row in zip(self.ids, self._index, strict=True):
                identifier.begin(identity)
                arrays = {name: self._array(group, name, row, identity) for name in names}
                for name, values in arrays.items():
                    identifier.add(name, values, scales[name])
                for task, (label, kind) in self._labels.items():
                    faults.add(task, identity, kind.stored_fault(arrays[label], self._attributes[label]))
            faults.check(f"{self.path}: {self.split}")
            apart = identifier.apart()
            digests = {"id": apart["id"], **{name: apart[label] for name, label in stored.items()}}
            self._identity = Identity(identifier.fingerprint(), digests)
        return self._identity

    def _array(self, group: h5py.Group, name: str, row: int, identity: str) -> NDArray[Any]:
        try:
            return group[name][row]  # type: ignore[no-any-return]
        except OSError as error:
            raise InputError(f"{self.path}: {name} of image {identity!r} of {self.split}: {error}") from None

    def fingerprint(self) -> str:
        """SHA-256 over ids, images and all stored labels of these images, in order; see `identify`."""
        return self.identify().fingerprint

    def digests(self) -> dict[str, str]:
        """SHA-256 of the ids (`id`), of the images (`image`) and of the labels of each of `tasks`, by name, of these
        images in order; see `identify`."""
        return dict(self.identify().digests)

    def class_names(self, task: str) -> list[str] | None:
        """Names of the classes of one of `tasks`, a segmentation; None if the file holds their number alone."""
        names = self._attributes[self._labels[task][0]].get("classes")
        return None if names is None or np.ndim(names) == 0 else [str(name) for name in names]

    def _group(self) -> h5py.Group:
        # Opened at first use, so that every worker process has a handle of its own.
        if self._file is None:
            self._file = open_prepared(self.path)
        return self._file[self.split]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None}


def open_prepared(path: Path) -> h5py.File:
    """Open a prepared file for reading; InputError says what is wrong with it."""
    return open_hdf5(path, "data", format=FORMAT, versions=[FORMAT_VERSION])


def loader(
    dataset: TorchDataset[Batch], batch_size: int, *, workers: int = 0, shuffle_seed: int | None = None
) -> DataLoader[Batch]:
    """Batches of `dataset` in order, or shuffled by a seed; `workers` processes read ahead."""
    generator = None if shuffle_seed is None else torch.Generator().manual_seed(shuffle_seed)
    return DataLoader(
        dataset,
        batch_size=batch_size,
        shuffle=generator is not None,
        num_workers=workers,
        collate_fn=join_batches,
        generator=generator,
    )


def repeated(values: Tensor, size: int) -> Tensor:
    """The first `size` of `values` `[B, …]`, which are repeated in their order as often as needed; same layout."""
    return torch.cat([values] * -(-size // len(values)))[:size]


def join_batches(batches: Sequence[Batch]) -> Batch:
    """Several batches of the same tasks as one."""
    ids = [identity for batch in batches for identity in batch.ids]
    images = torch.cat([batch.images for batch in batches])
    return Batch(ids, images, {name: torch.cat([b.targets[name] for b in batches]) for name in batches[0].targets})


def _pixels(file: h5py.File, side: str) -> int:
    value = attribute(file, side)
    if not isinstance(value, np.integer) or value < 1:
        raise DamagedError(f"attribute {side} is {str(value)[:60]!r}, expected a number of pixels")
    return int(value)


def _check_counts(path: Path, group: h5py.Group) -> None:
    for required in ("image", "id"):
        if required not in group:
            raise InputError(f"{path}: split {group.name} has no data set {required!r}")
    count = count_of(group, "id")
    for name in group:
        label = group[name]
        if not isinstance(label, h5py.Dataset):
            raise DamagedError(f"{label.name} is no array")
        check_inside(label, group.file)
        check_stored(label)
        if label.shape[:1] != (count,):
            raise InputError(
                f"{path}: {label.name} has shape {label.shape}, expected {counted(count, 'row')}, one an image"
            )


def _check_shapes(path: Path, group: h5py.Group, size: tuple[int, int], labels: dict[str, Task]) -> None:
    shapes = {"image": (*size, 3), **{name: task.stored_shape(size) for name, task in labels.items()}}
    for name, shape in shapes.items():
        if group[name].shape[1:] != shape:
            expected = (len(group["id"]), *shape)
            raise InputError(f"{path}: {group[name].name} has shape {group[name].shape}, expected {expected}")


def _choose_labels(
    path: Path, stored: dict[str, Task], tasks: TaskMap | None, unknown: list[str]
) -> dict[str, tuple[str, Task]]:
    """Task name → (stored label, task), for the tasks asked for or for every stored label that bears a task's name;
    `unknown` are further labels, of no kind that is known here."""
    if tasks is None:
        return {name: (name, task) for name, task in stored.items() if task.name == name}
    chosen = {}
    for name, wanted in tasks.items():
        task = alone(wanted)
        matches = [label for label, candidate in stored.items() if candidate == task]
        if not matches:
            labels = ", ".join(f"{label} {counted(t.channels, 'channel')}" for label, t in stored.items()) or "none"
            others = "".join(f"; {UnknownKindError(label)}" for label in unknown[:1])
            raise InputError(f"{path} has no label for {task}; it has: {labels}{others}")
        chosen[name] = (matches[0], task)
    return chosen


def _select(all_ids: list[str], limit: int | None, every: int, ids: Sequence[str] | None, path: Path) -> list[int]:
    rows = {identity: row for row, identity in enumerate(all_ids)}
    if len(rows) != len(all_ids):
        raise InputError(f"{path} has an image id twice")
    for identity in ids or ():
        if identity not in rows:
            raise UnknownNameError(f"image id in {path}:", identity, rows)
    if limit is not None and limit < 1:
        raise InputError(f"limit {limit}, expected at least 1")
    if every < 1:
        raise InputError(f"every {every}, expected at least 1")
    chosen = list(range(len(all_ids))) if ids is None else [rows[identity] for identity in ids]
    return chosen[::every][:limit]

"""What an evaluation asks of its images: an order, ids, labels by task, and what they are."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from torch import Tensor

from mtlattack.data.identity import Identity
from mtlattack.data.prepared import Batch
from mtlattack.tasks import Task


@runtime_checkable
class LabelledImages(Protocol):
    """Images of one `size` (height, width) with labels for `tasks`: a split of a prepared file, or somebody's own."""

    name: str
    split: str
    size: tuple[int, int]
    ids: list[str]

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks whose targets the items carry, by name."""
        ...

    @property
    def labels(self) -> list[str]:
        """The names of all labels that there are, those of no task among them."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Batch:
        """One image; InputError if it cannot be read."""
        ...

    def label_batches(self, task: str, size: int = 16) -> Iterator[Tensor]:
        """Targets of one of `tasks`, `[B, …]` of `size` images (fewer in the last), in order."""
        ...

    def identify(self) -> Identity:
        """What these images are, from reading each once, at the first call alone.

        InputError names the images and tasks with labels that are none (`Task.fault`).
        """
        ...

"""Images that are generated when they are asked for, and a network that takes next to no time."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mtlattack.data import Batch, PreparedDataset
from mtlattack.data.identity import Identity
from mtlattack.tasks import Depth, Segmentation, Task

SIZE = 8
CLASSES = 13
TASKS: dict[str, Task] = {"segmentation": Segmentation(classes=CLASSES), "depth": Depth()}


class Generated(PreparedDataset):
    """So many random images of 8×8 pixels with labels: image i is drawn from a generator seeded by i."""

    def __init__(self, images: int) -> None:
        self.path, self.split, self.name, self.size = Path("generated"), "test", "generated", (SIZE, SIZE)
        self.ids = [f"{number:07d}" for number in range(images)]
        self._identity = None

    @property
    def tasks(self) -> dict[str, Task]:
        return dict(TASKS)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: int) -> Batch:
        image, segmentation, depth = self._arrays(position)
        targets = {"segmentation": torch.from_numpy(segmentation), "depth": torch.from_numpy(depth)}
        return Batch([self.ids[position]], torch.from_numpy(image), targets)

    def _arrays(self, position: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        draw = np.random.default_rng(position).integers(0, 256, (5, SIZE, SIZE), np.uint8)
        image = draw[None, :3].astype(np.float32) / 255
        return image, (draw[3:4] % CLASSES).astype(np.int64), 1 + draw[4:].astype(np.float32) / 64

    def label_batches(self, task: str, size: int = 16) -> Iterator[Tensor]:
        place = 1 + list(TASKS).index(task)
        for first in range(0, len(self), size):
            rows = range(first, min(first + size, len(self)))
            yield torch.from_numpy(np.concatenate([self._arrays(row)[place] for row in rows]))

    def identify(self) -> Identity:
        if self._identity is None:
            digests = {name: hashlib.sha256() for name in ("image", *TASKS)}
            for position in range(len(self)):
                for digest, array in zip(digests.values(), self._arrays(position), strict=True):
                    digest.update(array)
            ids = hashlib.sha256(json.dumps(self.ids).encode()).hexdigest()
            found = {"id": ids, **{name: digest.hexdigest() for name, digest in digests.items()}}
            self._identity = Identity(hashlib.sha256("".join(found.values()).encode()).hexdigest(), found)
        return self._identity


class Trivial(nn.Module):
    """A convolution of 1×1."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.heads, self.tasks = nn.Conv2d(3, CLASSES + 1, 1), TASKS

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        values = self.heads(images)
        return {"segmentation": values[:, :CLASSES], "depth": 2 + values[:, CLASSES:]}

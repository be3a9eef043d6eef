"""Many tiny images and a network that takes no time, so that runs on a few of them can be made by the dozen."""

from pathlib import Path

import h5py
import numpy as np
import torch
from evaluation_toys import Calls
from torch import Tensor, nn

from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.evidence import EvidenceFile
from mtlattack.tasks import Depth, Segmentation, TaskMap

SIZE = 8
TASKS: TaskMap = {"segmentation": Segmentation(classes=3), "depth": Depth()}


def write_tiny(path: Path, images: int, seed: int = 0) -> Path:
    """A prepared file of random images of 8×8 pixels with both labels, as test and train."""
    draw = np.random.default_rng(seed)
    shape = (images, SIZE, SIZE)
    with h5py.File(path, "w") as file:
        file.attrs.update(format="mtlattack-dataset", format_version=1, name="tiny", height=SIZE, width=SIZE)
        group = file.create_group("test")
        group["image"] = draw.integers(0, 256, (*shape, 3), np.uint8)
        group.create_dataset("id", data=[f"i{number}" for number in range(images)], dtype=h5py.string_dtype())
        group["segmentation"] = draw.integers(0, 3, shape, np.uint8)
        group["segmentation"].attrs.update(classes=3, ignore=255)
        group["depth"] = draw.integers(1, 9000, shape, np.uint16)
        group["depth"].attrs.update(scale=1e-3, unit="metre", invalid=0)
        file.copy(group, "train")
    return path


def tiny_data(path: Path, limit: int | None = None) -> PreparedDataset:
    """Its first images."""
    return load_dataset(path, tasks=TASKS, limit=limit)


class TinyNet(nn.Module):
    """Two convolutions, the same in every process; a call that `calls` says fails."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.body, self.heads = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1)
        self.tasks, self.calls = TASKS, Calls()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        self.calls.count += 1
        if self.calls.count == self.calls.fail_at:
            raise RuntimeError("out of patience")
        values = self.heads(self.body(images).relu())
        return {"segmentation": values[:, :3], "depth": 1 + values[:, 3:].square()}


def done_in(path: Path) -> int:
    """How many images of how many jobs are finished."""
    return sum(int(marks.sum()) for marks in EvidenceFile(path).done().values())

"""The smallest model and images that a run takes, so that little but what surrounds a run is measured."""

from pathlib import Path

import h5py
import numpy as np
from torch import Tensor, nn

from mtlattack.campaigns.cells import Cell
from mtlattack.campaigns.engine import Circumstances, Result
from mtlattack.tasks import Depth, Segmentation

SIZE = 8


class Tiny(nn.Module):
    """One convolution for two tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks = {"segmentation": Segmentation(3), "depth": Depth()}
        self.convolution = nn.Conv2d(3, 4, 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Predictions by task for images `[B, 3, H, W]`."""
        both = self.convolution(images)
        return {"segmentation": both[:, :3], "depth": both[:, 3:].exp()}


def make() -> nn.Module:
    """The model, for `--model tiny:make`."""
    return Tiny()


def write_image(path: Path) -> Path:
    """A prepared file of one random image, seed 0."""
    draw = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs.update(format="mtlattack-dataset", format_version=1, name="tiny", height=SIZE, width=SIZE)
        file.attrs.update(license="MIT", citation="none")
        test = file.create_group("test")
        test["id"] = ["0"]
        test["image"] = draw.integers(0, 256, (1, SIZE, SIZE, 3)).astype(np.uint8)
        test["segmentation"] = draw.integers(0, 3, (1, SIZE, SIZE)).astype(np.uint8)
        test["segmentation"].attrs["classes"] = 3
        test["depth"] = draw.integers(500, 9000, (1, SIZE, SIZE)).astype(np.uint16)
        test["depth"].attrs.update(scale=0.001, unit="metre")
    return path


class Idle:
    """A worker that does nothing."""

    def __init__(self, circumstances: Circumstances) -> None:
        pass

    def run(self, cell: Cell) -> Result:
        """Nothing."""
        return Result(cell.name, 0.0)

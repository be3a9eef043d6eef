"""Factories for `module:factory`: one convolution for two tasks, which may be slow, die or break under attack."""

import os
import signal
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from mtlattack.tasks import Depth, Segmentation


class Toy(nn.Module):
    """One convolution; `disturb` is called on images that are off the 256 grey levels: attacked ones."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks = {"segmentation": Segmentation(3), "depth": Depth()}
        self.convolution = nn.Conv2d(3, 4, 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        levels = images.detach() * 255
        if (levels - levels.round()).abs().max() > 0.1:
            self.disturb()
        both = self.convolution(images)
        return {"segmentation": both[:, :3], "depth": both[:, 3:].exp()}

    def disturb(self) -> None:
        """Nothing."""


class Slow(Toy):
    def disturb(self) -> None:
        time.sleep(0.02)


class Dying(Toy):
    """Kills its process once for every file `die-*` that is in the current folder."""

    def disturb(self) -> None:
        for order in Path().glob("die-*"):
            try:
                order.unlink()
            except FileNotFoundError:  # another process was faster
                continue
            os.kill(os.getpid(), signal.SIGKILL)


class Doomed(Toy):
    def disturb(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Broken(Toy):
    def disturb(self) -> None:
        raise RuntimeError("out of patience\nfor good")


def toy() -> nn.Module:
    return Toy()


def seeded() -> nn.Module:
    torch.manual_seed(1)
    return Toy()


def slow() -> nn.Module:
    torch.manual_seed(1)
    return Slow()


def dying() -> nn.Module:
    return Dying()


def doomed() -> nn.Module:
    return Doomed()


def broken() -> nn.Module:
    return Broken()


def crowded() -> nn.Module:
    """In a worker, while there is a file `full`: no file may grow beyond a kilobyte."""
    import resource
    from multiprocessing import parent_process

    if parent_process() is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024 if Path("full").exists() else hard, hard))
    return Toy()

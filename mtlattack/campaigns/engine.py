"""What a queue needs of the machines that it gives cells to."""

from dataclasses import dataclass
from typing import Protocol

from mtlattack.campaigns.cells import Cell


@dataclass(frozen=True)
class Circumstances:
    """What every worker is to know: where cells' folders lie, from where names are relative, the threads of a cell, and
    the command that the evidence is to name."""

    out: str
    folder: str
    threads: int
    command: list[str]


@dataclass(frozen=True)
class Result:
    """What became of a cell: `error` says in one line why it failed. A `spoiled` worker is to be replaced."""

    name: str
    seconds: float
    error: str | None = None
    spoiled: bool = False


@dataclass(frozen=True)
class Lost:
    """A cell's worker is gone, and `why`."""

    name: str
    why: str


class Runs(Protocol):
    """What a worker does."""

    def run(self, cell: Cell) -> Result:
        """Run a cell and say what became of it; nothing is raised."""


class Engine(Protocol):
    """Workers that live on and take one cell after the other."""

    def free(self) -> int:
        """How many cells could start now."""

    def start(self, cell: Cell) -> None:
        """Give a cell to a free worker."""

    def wait(self) -> list[Result | Lost]:
        """What has ended, after waiting a second at most for something to."""

    def close(self) -> None:
        """End all workers, whatever they are at."""

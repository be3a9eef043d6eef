"""What a queue needs of the machines that it gives cells to."""

from dataclasses import dataclass
from typing import Protocol, TypeVar


class Job(Protocol):
    """What a worker is given, pickled: a cell of a campaign, or of a study."""

    @property
    def name(self) -> str:
        """Of its folder; no other job of the queue has it."""


J = TypeVar("J", bound=Job)
J_contra = TypeVar("J_contra", bound=Job, contravariant=True)


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


class Runs(Protocol[J_contra]):
    """What a worker does."""

    def run(self, cell: J_contra, /) -> Result:
        """Run a cell and say what became of it; nothing is raised."""

    def ready(self) -> bool:
        """Whether it can take a cell: asked of one that is elsewhere, and answered once it has started."""


class Engine(Protocol[J_contra]):
    """Workers that live on and take one cell after the other."""

    def free(self) -> int:
        """How many cells could start now."""

    def start(self, cell: J_contra, /) -> None:
        """Give a cell to a free worker."""

    def wait(self) -> list[Result | Lost]:
        """What has ended, after waiting a second at most for something to."""

    def close(self) -> None:
        """End all workers, whatever they are at."""

"""What a study is: claims with rules written first, cells that are measured, a verdict for each claim."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

Outcome = Literal["holds", "fails", "undecided"]


@dataclass(frozen=True)
class Cell:
    """One piece of a study, measured by itself: plain JSON `settings`, and about how many seconds of `work` it is."""

    study: str
    name: str
    settings: Mapping[str, Any]
    work: float = 1.0


@dataclass(frozen=True)
class Measured:
    """A cell that is done, with the `numbers` that came of it, as plain JSON."""

    name: str
    settings: Mapping[str, Any]
    numbers: Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What became of a claim, `because` of which numbers in one sentence; `numbers` of the test, as plain JSON."""

    outcome: Outcome
    because: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Texts under columns; all but the first column are numbers to the eye."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Claim(ABC):
    """A paper's claim: its `sentence`, and the `rule` of its verdict, which stands in the study's folder before the
    first cell is measured."""

    name: str
    sentence: str
    rule: str

    @abstractmethod
    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Apply the rule to all cells of the study, and to nothing else."""


class Study(ABC):
    """A paper's claims, tested on the same cells."""

    name: ClassVar[str]
    paper: ClassVar[str]
    summary: ClassVar[str]
    """What is claimed, in one sentence."""
    cost: ClassVar[str]
    """What the quick and the full study take, measured."""
    version: ClassVar[int] = 1
    """Raised when the same cell may give other numbers."""
    claims: ClassVar[Sequence[Claim]]

    @abstractmethod
    def cells(self, quick: bool) -> list[Cell]:
        """What is to be measured."""

    @abstractmethod
    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """The numbers of one cell, the same in every process; `folder` is the cell's own, for evidence that goes on
        after a kill."""

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        """What a reader wants to see of the numbers."""
        return []

    def plot(self, measured: Sequence[Measured], folder: Path) -> list[Path]:
        """Draw pictures into `folder`; their paths."""
        return []

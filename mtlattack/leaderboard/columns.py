"""The columns of the board, one table for all that shows it: terminal, Markdown, pages and exports."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mtlattack.analysis.record import Interval
from mtlattack.analysis.summaries import ARP, LOG_RATIO, Summary, mean_of, worst_of
from mtlattack.analysis.tables import compact_interval
from mtlattack.leaderboard.standings import Standing
from mtlattack.markdown import code, escape

SHORT_ID = 8
# Where columns are few, those of a section stand together: what ranks, what tells attacks apart, what the row is.
Section = Literal["name", "skill", "relative", "row"]
Cell = str | int | float | None


@dataclass(frozen=True)
class Column(ABC):
    """Something that is said of every row: its name for programs and for people, and what it stands beside."""

    key: str
    title: str
    section: Section

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of its cells."""
        return (self.key,)

    @abstractmethod
    def cells(self, standing: Standing) -> tuple[Cell, ...]:
        """For programs: one for each of `keys`, None where there is nothing to say."""

    @abstractmethod
    def text(self, standing: Standing) -> str:
        """For people."""

    def markdown(self, standing: Standing) -> str:
        """`text` as Markdown that prints it."""
        return escape(self.text(standing))


@dataclass(frozen=True)
class Plain(Column):
    """A text or a number."""

    of: Callable[[Standing], Cell]

    def cells(self, standing: Standing) -> tuple[Cell, ...]:
        return (self.of(standing),)

    def text(self, standing: Standing) -> str:
        cell = self.of(standing)
        return "–" if cell is None else f"{cell:.2f}" if isinstance(cell, float) else str(cell)


class Name(Plain):
    """A name that is typed again."""

    def markdown(self, standing: Standing) -> str:
        return code(self.text(standing))


@dataclass(frozen=True)
class Measured(Column):
    """A number and its 95 % interval, read as it is or in per cent."""

    of: Callable[[Standing], Interval]
    percent: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key, f"{self.key}_low", f"{self.key}_high")

    def cells(self, standing: Standing) -> tuple[Cell, ...]:
        interval = self.of(standing)
        return interval.value, interval.low, interval.high

    def text(self, standing: Standing) -> str:
        interval = self.of(standing)
        return "–" if interval.value is None else compact_interval(interval, percent=self.percent)

    def markdown(self, standing: Standing) -> str:
        return self.text(standing)


def _summary(summary: Summary) -> Column:
    return Measured(
        summary.key, summary.title, "relative", lambda standing: summary.of(standing.strongest), summary.percent
    )


COLUMNS: list[Column] = [
    Plain("rank", "rank", "name", lambda standing: standing.rank),
    Name("model", "model", "name", lambda standing: standing.stored.row.model.name),
    Measured("clean_skill", "clean skill", "skill", lambda standing: mean_of(standing.stored.record.clean_skill)),
    Measured("robust_skill", "robust skill", "skill", lambda standing: mean_of(standing.left)),
    Measured("worst_skill", "of worst task", "skill", lambda standing: worst_of(standing.left)),
    Plain("worst_task", "worst task", "skill", lambda standing: standing.left.worst_task if standing.left else None),
    _summary(LOG_RATIO),
    _summary(ARP),
    Name("strongest_attack", "strongest attack", "relative", lambda standing: standing.strongest.name),
    Plain("training", "training", "row", lambda standing: standing.stored.row.model.adversarial_training or "clean"),
    Plain("sharing_degree", "sharing degree", "row", lambda standing: standing.stored.row.model.sharing_degree),
    Plain("flags", "flags", "row", lambda standing: len(standing.stored.record.flags) or None),
    Plain("status", "status", "row", lambda standing: standing.status),
    Name("row", "row", "row", lambda standing: standing.stored.id[:SHORT_ID]),
]


def columns_of(section: Section) -> list[Column]:
    """The columns that stand together."""
    return [each for each in COLUMNS if each.section == section]

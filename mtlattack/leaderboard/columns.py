"""The columns of the board, one table for all that shows it: terminal, Markdown, pages and exports."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mtlattack.analysis.record import Interval
from mtlattack.analysis.summaries import ARP, LOG_RATIO, UNDEFINED, Summary
from mtlattack.analysis.tables import compact_interval
from mtlattack.leaderboard.rows.schema import Row
from mtlattack.leaderboard.showing.markdown import code, escape
from mtlattack.leaderboard.standings import Place

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
    def cells(self, place: Place) -> tuple[Cell, ...]:
        """For programs: one for each of `keys`, None where there is nothing to say."""

    @abstractmethod
    def text(self, place: Place) -> str:
        """For people."""

    def markdown(self, place: Place) -> str:
        """`text` as Markdown that prints it."""
        return escape(self.text(place))


@dataclass(frozen=True)
class Plain(Column):
    """A text or a number."""

    of: Callable[[Place], Cell]

    def cells(self, place: Place) -> tuple[Cell, ...]:
        return (self.of(place),)

    def text(self, place: Place) -> str:
        cell = self.of(place)
        return "–" if cell is None else f"{cell:.2f}" if isinstance(cell, float) else str(cell)


class Name(Plain):
    """A name that is typed again."""

    def markdown(self, place: Place) -> str:
        return code(self.text(place))


@dataclass(frozen=True)
class Measured(Column):
    """A number and its 95 % interval, read as it is or in per cent."""

    of: Callable[[Place], Interval]
    percent: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key, f"{self.key}_low", f"{self.key}_high")

    def cells(self, place: Place) -> tuple[Cell, ...]:
        interval = self.of(place)
        return interval.value, interval.low, interval.high

    def text(self, place: Place) -> str:
        interval = self.of(place)
        return "–" if interval.value is None else compact_interval(interval, percent=self.percent)

    def markdown(self, place: Place) -> str:
        return self.text(place)


def _summary(summary: Summary) -> Column:
    return Measured(
        summary.key, summary.title, "relative", lambda place: summary.of(place.standing.strongest), summary.percent
    )


COLUMNS: list[Column] = [
    Plain("rank", "rank", "name", lambda place: place.rank),
    Name("model", "model", "name", lambda place: place.standing.stored.row.model.name),
    Measured("clean_skill", "clean skill", "skill", lambda place: _clean_skill(place)),
    Measured("robust_skill", "robust skill", "skill", lambda place: _robust(place, "mean")),
    Measured("worst_skill", "of worst task", "skill", lambda place: _robust(place, "worst")),
    Plain("worst_task", "worst task", "skill", lambda place: _worst_task(place)),
    _summary(LOG_RATIO),
    _summary(ARP),
    Name("strongest_attack", "strongest attack", "relative", lambda place: place.standing.strongest.name),
    Plain("training", "training", "row", lambda place: training_text(place.standing.stored.row)),
    Plain("sharing_degree", "sharing degree", "row", lambda place: place.standing.stored.row.model.sharing_degree),
    Plain("flags", "flags", "row", lambda place: len(place.standing.stored.record.flags) or None),
    Plain("status", "status", "row", lambda place: place.standing.status),
    Name("row", "row", "row", lambda place: place.standing.stored.id[:SHORT_ID]),
]


def columns_of(section: Section) -> list[Column]:
    """The columns that stand together."""
    return [each for each in COLUMNS if each.section == section]


def column(key: str) -> Column:
    """The column of a name."""
    return next(each for each in COLUMNS if each.key == key)


def training_text(row: Row) -> str:
    """How the model was trained against attacks, in the submitter's words."""
    return row.model.adversarial_training or "clean"


def _clean_skill(place: Place) -> Interval:
    skill = place.standing.stored.record.clean_skill
    return UNDEFINED if skill is None else skill.mean


def _robust(place: Place, number: Literal["mean", "worst"]) -> Interval:
    robust = place.standing.robust
    if robust is None:
        return UNDEFINED
    return robust.skill.mean if number == "mean" else robust.skill.worst


def _worst_task(place: Place) -> str | None:
    robust = place.standing.robust
    return None if robust is None else robust.skill.worst_task

"""What one panel of the ε curves is about, and how its series are drawn."""

from collections.abc import Callable
from dataclasses import dataclass

from mtlattack.analysis import Interval
from mtlattack.leaderboard.charts.lettering import with_unit
from mtlattack.leaderboard.charts.marks import Style, lighter, series
from mtlattack.leaderboard.charts.quantities import Quantity, ends, eps_text, span_text, visible
from mtlattack.leaderboard.rows.schema import AttackEntry, Row

SINGLE = "-single:"


@dataclass(frozen=True)
class Panel:
    """A number that every attack has: its name, unit and direction, and its value without attack."""

    name: str
    title: str
    unit: str
    higher_is_better: bool
    clean: Interval
    under: Callable[[AttackEntry], Interval]

    @property
    def below(self) -> str:
        """What it shows, for the line below its name; the axis is turned where more is worse."""
        return f"{self.title} · " + ("more is better" if self.higher_is_better else "less is better, axis turned")

    def said(self, row: Row) -> str:
        """The range of the data, in words."""
        found = [x for attack in row.attacks for x in ends(self.under(attack))[:1]]
        levels = sorted({attack.eps for attack in row.attacks})
        eps = " to ".join(dict.fromkeys(eps_text(level, row.threat.norm) for level in (levels[0], levels[-1])))
        clean = with_unit(self.clean.value, self.unit)
        return (
            f"{self.name}, {self.title} of {row.model.name}: {clean} on clean images; {span_text(found, self.unit)} "
            f"under {len(styles(row))} attacks at ε {eps} ({row.threat.norm})."
        )


def panel_of_task(row: Row, quantity: Quantity) -> Panel:
    """A task's metric."""
    return Panel(
        quantity.task,
        quantity.title,
        quantity.unit,
        quantity.higher_is_better,
        quantity.clean(row),
        quantity.under,
    )


def panel_of_log_ratio(row: Row) -> Panel:
    """The mean log loss ratio over images and tasks, 0 without attack."""
    nothing = Interval(value=0.0, low=None, high=None)
    return Panel("all tasks", "mean log loss ratio", "", False, nothing, lambda attack: visible(attack.log_ratio))


def source_of(attack: str) -> str | None:
    """The task that a single-task attack aims at, from its name."""
    _, found, rest = attack.partition(SINGLE)
    return rest.partition("+")[0] if found else None


def styles(row: Row) -> dict[str, Style]:
    """By the attacks' names how they are drawn; those at a single task come last, and stand back."""
    names = list(dict.fromkeys(attack.name for attack in row.attacks))
    single = [name for name in names if source_of(name) is not None]
    joint = [name for name in names if source_of(name) is None]
    return {name: series(i) for i, name in enumerate(joint)} | {name: lighter(i) for i, name in enumerate(single)}

"""What a chart shows of a row: a task's metric in the unit that people read."""

from dataclasses import dataclass

from mtlattack.analysis import Interval
from mtlattack.errors import UnknownNameError
from mtlattack.leaderboard.charts.lettering import significant
from mtlattack.leaderboard.charts.scales import drawable
from mtlattack.leaderboard.rows.results import NOTHING, interval_of
from mtlattack.leaderboard.rows.schema import AttackEntry, Metrics, Row
from mtlattack.leaderboard.rows.units import shown_interval
from mtlattack.tasks import task_from_config
from mtlattack.tasks.registry import TASKS

# Of tasks that are not known here.
_UNITS = {"1": "", "rad": "°", "m": "m", "1/m": "1/m"}
_EPS = {"linf": (255, "ε in 1/255"), "l0": (1, "ε, pixels"), "patch": (100, "ε, % of the area")}


@dataclass(frozen=True)
class Quantity:
    """A metric of a task: the unit it is shown in, and its direction."""

    task: str
    metric: str
    unit: str
    higher_is_better: bool

    @property
    def title(self) -> str:
        """`miou, %`."""
        return f"{self.metric}, {self.unit}" if self.unit else self.metric

    def clean(self, row: Row) -> Interval:
        """Without attack, in the shown unit."""
        return self._of(row.clean)

    def under(self, attack: AttackEntry) -> Interval:
        """Under an attack, in the shown unit."""
        return self._of(attack.metrics)

    def _of(self, metrics: Metrics) -> Interval:
        return visible(shown_interval(interval_of(metrics, self.task, self.metric), self.unit))


def quantity_of(row: Row, task: str, metric: str) -> Quantity:
    """A metric of a task of the row; UnknownNameError for a task or metric that it does not have."""
    if task not in row.tasks:
        raise UnknownNameError("task", task, row.tasks)
    if metric not in row.tasks[task].metrics:
        raise UnknownNameError(f"metric of {task}", metric, row.tasks[task].metrics)
    card = row.tasks[task].metrics[metric]
    known = {m.name: m.unit for m in TASKS.get(_kind(row, task)).metric_table} if _kind(row, task) in TASKS else {}
    return Quantity(task, metric, known.get(metric, _UNITS[card.unit]), card.higher_is_better)


def headline(row: Row, task: str) -> Quantity | None:
    """The metric that stands for a task of the row, as in the tables; none where it has none."""
    metrics = row.tasks[task].metrics
    wanted = task_from_config(row.tasks[task].config).headline
    name = wanted if wanted in metrics else next(iter(metrics), None)
    return None if name is None else quantity_of(row, task, name)


def visible(interval: Interval) -> Interval:
    """The interval without what no chart can show; all null where the value cannot be."""
    if not drawable(interval.value):
        return NOTHING
    if not (drawable(interval.low) and drawable(interval.high)):
        return Interval(value=interval.value, low=None, high=None)
    return interval


def ends(interval: Interval) -> list[float]:
    """All of its numbers."""
    return [x for x in (interval.value, interval.low, interval.high) if x is not None]


def eps_text(eps: float, norm: str) -> str:
    """ε as people read it: `4/255`, `4 px`, `2 %`, `0.5`."""
    return {"linf": f"{eps * 255:.6g}/255", "l0": f"{eps:g} px", "patch": f"{100 * eps:.6g} %"}.get(norm, f"{eps:.6g}")


def eps_mark(eps: float, norm: str) -> str:
    """ε at an axis that says its unit."""
    return f"{eps * _EPS.get(norm, (1, ''))[0]:.3g}"


def eps_title(norm: str) -> str:
    """What such an axis is called: `ε in 1/255 (linf)`."""
    return f"{_EPS.get(norm, (1, 'ε'))[1]} ({norm})"


def span_text(values: list[float], unit: str) -> str:
    """`from 3.20 to 43.2 %`, or that there is nothing."""
    if not values:
        return "no values"
    return f"from {significant(min(values))} to {significant(max(values))} {unit}".rstrip()


def _kind(row: Row, task: str) -> str:
    kind = row.tasks[task].config.get("kind")
    return kind if isinstance(kind, str) else ""

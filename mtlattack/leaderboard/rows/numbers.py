"""All numbers of a row, one by one, each with its place, unit and direction."""

from collections.abc import Iterator
from dataclasses import dataclass

from mtlattack.analysis.record import Interval
from mtlattack.leaderboard.rows.results import interval_of, tasks_of
from mtlattack.leaderboard.rows.schema import AttackEntry, Row
from mtlattack.tasks import Metric, Task

CLEAN, ALL_TASKS = "clean", "all"

# Name, unit, and whether a higher one means that the model is better off; None where it says nothing of that.
_SUMMARIES = (("arp", True), ("loss_change", False), ("log_ratio", False), ("worst", True))
_PLAIN: tuple[tuple[str, str, bool | None], ...] = (
    ("gap", "1", None),
    ("found", "1", False),
    ("max_linf", "1", None),
    ("max_l2", "1", None),
    ("max_l1", "1", None),
    ("max_pixels", "1", None),
    ("forward_passes", "1", None),
    ("backward_passes", "1", None),
    ("seconds", "s", None),
)


@dataclass(frozen=True)
class Place:
    """Where a number stands: `attack` is CLEAN and `eps` 0 without attack, `task` ALL_TASKS where it is about all."""

    eps: float
    attack: str
    task: str
    metric: str


@dataclass(frozen=True)
class Number:
    """A number as the row holds it: SI or a share, with its interval where it has one.

    `unit` is its SI unit, `task_unit` the one that people read; `clean` is the number without attack.
    """

    place: Place
    unit: str
    task_unit: str
    higher_is_better: bool | None
    clean: float | None
    interval: Interval


def numbers_of(row: Row) -> list[Number]:
    """Clean metrics and losses, then attack by attack in the row's order its metrics, task changes and summaries."""
    tasks = tasks_of(row)
    found = list(_clean(row, tasks))
    for attack in row.attacks:
        found += [*_metrics(row, attack, tasks), *_summaries(attack, tasks)]
    return found


def _clean(row: Row, tasks: dict[str, Task]) -> Iterator[Number]:
    for name, metric in _metrics_of(tasks):
        interval = interval_of(row.clean, name, metric.name)
        yield _of_metric(row, Place(0, CLEAN, name, metric.name), metric, interval)
    for name in tasks:
        loss = row.clean_losses.get(name)
        yield Number(Place(0, CLEAN, name, "loss"), "1", "", False, loss, _plain(loss))


def _metrics(row: Row, attack: AttackEntry, tasks: dict[str, Task]) -> Iterator[Number]:
    for name, metric in _metrics_of(tasks):
        interval = interval_of(attack.metrics, name, metric.name)
        yield _of_metric(row, Place(attack.eps, attack.name, name, metric.name), metric, interval)


def _summaries(attack: AttackEntry, tasks: dict[str, Task]) -> Iterator[Number]:
    for name in tasks:
        place = Place(attack.eps, attack.name, name, "task_change")
        yield Number(place, "1", "%", True, None, _plain(attack.task_change.get(name)))
    for name, higher in _SUMMARIES:
        shown = "" if name == "log_ratio" else "%"
        interval = getattr(attack, name)
        yield Number(Place(attack.eps, attack.name, ALL_TASKS, name), "1", shown, higher, None, interval)
    for name, unit, direction in _PLAIN:
        shown = "s" if unit == "s" else ""
        place = Place(attack.eps, attack.name, ALL_TASKS, name)
        yield Number(place, unit, shown, direction, None, _plain(getattr(attack, name)))


def _metrics_of(tasks: dict[str, Task]) -> Iterator[tuple[str, Metric]]:
    return ((name, metric) for name, task in tasks.items() for metric in task.metric_table)


def _of_metric(row: Row, place: Place, metric: Metric, interval: Interval) -> Number:
    clean = interval_of(row.clean, place.task, metric.name).value
    unit = row.tasks[place.task].metrics[metric.name].unit
    return Number(place, unit, metric.unit, metric.higher_is_better, clean, interval)


def _plain(value: float | None) -> Interval:
    return Interval(value=value, low=None, high=None)

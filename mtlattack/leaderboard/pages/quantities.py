"""What a table has columns for: the numbers over all tasks, and of each task the metric that stands for it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from mtlattack.analysis.record import Interval
from mtlattack.leaderboard.pages.formats import Figure, change, in_unit
from mtlattack.leaderboard.rows.results import interval_of, tasks_of
from mtlattack.leaderboard.rows.schema import AttackEntry, Metrics, Row


@dataclass(frozen=True)
class Quantity:
    """A column: `key` in addresses, what stands above it, and which way is robust."""

    key: str
    title: str
    unit: str
    better: Literal["low", "high"]
    meaning: str

    @property
    def arrow(self) -> str:
        """Points to where the robust models are."""
        return "↑" if self.better == "high" else "↓"


@dataclass(frozen=True)
class TaskMetric:
    """A metric of a task, as people read it."""

    task: str
    metric: str
    unit: str
    higher_is_better: bool

    @property
    def title(self) -> str:
        """The task in words."""
        return self.task.replace("_", " ")

    @property
    def arrow(self) -> str:
        """Which way is better."""
        return "↑" if self.higher_is_better else "↓"

    def clean(self, row: Row) -> Figure:
        """Without attack."""
        return in_unit(self._of(row.clean), self.unit)

    def attacked(self, attack: AttackEntry) -> Figure:
        """Under an attack."""
        return in_unit(self._of(attack.metrics), self.unit)

    def both(self, row: Row, attack: AttackEntry) -> Figure:
        """Clean → attacked."""
        return change(self._of(row.clean), self._of(attack.metrics), self.unit)

    def _of(self, metrics: Metrics) -> Interval:
        return interval_of(metrics, self.task, self.metric)


SUMMARIES = (
    Quantity("log", "log loss ratio", "", "low", "mean of log(L′/L) over images and tasks: no task can dominate"),
    Quantity("loss", "loss change", "%", "low", "mean of (L′ − L)/L over images and tasks"),
    Quantity("arp", "arp", "%", "high", "average relative performance: each metric's change relative to its clean "
             "value, negative is worse; mean over a task's metrics, then over tasks"),
    Quantity("worst", "worst task", "%", "high", "the task whose metrics lost most, and by how much"),
)  # fmt: skip


def summary_figures(attack: AttackEntry) -> list[Figure]:
    """In the order of `SUMMARIES`."""
    worst = in_unit(attack.worst, "%")
    named = replace(worst, text=f"{attack.worst_task.replace('_', ' ')} {worst.text}")
    return [in_unit(attack.log_ratio, ""), in_unit(attack.loss_change, "%"), in_unit(attack.arp, "%"), named]


def task_quantities(metrics: Iterable[TaskMetric]) -> list[Quantity]:
    """The columns of the tasks."""
    return [
        Quantity(
            metric.task,
            metric.title,
            f"{metric.metric.replace('_', ' ')}{f' {metric.unit}' if metric.unit else ''}",
            "high" if metric.higher_is_better else "low",
            f"{metric.title}: clean → under attack",
        )
        for metric in metrics
    ]


def headline_metrics(row: Row) -> list[TaskMetric]:
    """Of each task the metric that stands for it, in the order of its suite."""
    tasks = tasks_of(row)
    return [metric for metric in all_metrics(row) if metric.metric == tasks[metric.task].headline]


def all_metrics(row: Row) -> list[TaskMetric]:
    """Every metric of every task, in the order of its suite."""
    return [
        TaskMetric(name, metric.name, metric.unit, metric.higher_is_better)
        for name, task in tasks_of(row).items()
        for metric in task.metric_table
    ]

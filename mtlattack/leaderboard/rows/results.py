"""A row's numbers as the results of a run, in the units that people read."""

from collections.abc import Mapping

import numpy as np

from mtlattack.analysis.change import relative_change
from mtlattack.analysis.record import AttackResult, Interval, Metrics
from mtlattack.analysis.report import number
from mtlattack.errors import InputError
from mtlattack.evaluation import list_suites, load_suite
from mtlattack.leaderboard.rows.schema import AttackEntry, Row
from mtlattack.leaderboard.rows.schema import Metrics as Intervals
from mtlattack.leaderboard.rows.units import shown
from mtlattack.tasks import Task, task_from_config

NOTHING = Interval(value=None, low=None, high=None)


def task_names(row: Row) -> list[str]:
    """A row's tasks in the order of its suite, or in the row's own where the suite is not known: once stored, that of
    their names."""
    suite = load_suite(row.suite.name) if row.suite.name in list_suites() else None
    order = [name for name in (suite and suite.data_sha256) or () if name in row.tasks]
    return list(dict.fromkeys([*order, *row.tasks]))


def tasks_of(row: Row) -> dict[str, Task]:
    """The tasks that a row is about, in that order; InputError for a description that makes none."""
    try:
        return {name: task_from_config(row.tasks[name].config) for name in task_names(row)}
    except InputError as error:
        raise InputError(f"tasks: {error}") from None


def interval_of(metrics: Intervals, task: str, metric: str) -> Interval:
    """What a row has of a metric; all null where it has nothing."""
    return metrics.get(task, {}).get(metric, NOTHING)


def clean_of(row: Row, tasks: Mapping[str, Task]) -> Metrics:
    """The clean metrics in the tasks' units; None for what the row does not have."""
    return _shown(row.clean, tasks)


def results_of(row: Row, tasks: Mapping[str, Task]) -> list[AttackResult]:
    """What each attack did, in the row's order."""
    clean = clean_of(row, tasks)
    return [_result(row, entry, clean, tasks) for entry in row.attacks]


def _result(row: Row, entry: AttackEntry, clean: Metrics, tasks: Mapping[str, Task]) -> AttackResult:
    metrics = _shown(entry.metrics, tasks)
    relative = {
        name: {
            m.name: _relative(clean[name][m.name], metrics[name][m.name], m.higher_is_better) for m in task.metric_table
        }
        for name, task in tasks.items()
    }
    said = entry.model_dump(exclude={"metrics"})
    return AttackResult(**said, norm=row.threat.norm, metrics=metrics, relative=relative)


def _shown(metrics: Intervals, tasks: Mapping[str, Task]) -> Metrics:
    return {
        name: {m.name: _value(metrics, name, m.name, m.unit) for m in task.metric_table} for name, task in tasks.items()
    }


def _value(metrics: Intervals, task: str, metric: str, unit: str) -> float | None:
    value = interval_of(metrics, task, metric).value
    return None if value is None else shown(value, unit)


def _relative(clean: float | None, value: float | None, higher_is_better: bool) -> float | None:
    if clean is None or value is None:
        return None
    change = relative_change(np.array(clean), np.array(value), higher_is_better=higher_is_better)
    return number(change)

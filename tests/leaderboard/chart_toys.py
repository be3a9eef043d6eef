"""Records made by hand, for charts and pages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlattack.analysis import AttackResult, Interval, Record
from mtlattack.analysis.record import Skill
from mtlattack.analysis.summaries import robust_skill
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import Status
from mtlattack.leaderboard.records import headline_eps, robust_at, strongest
from mtlattack.leaderboard.rows.schema import Row
from mtlattack.leaderboard.standings import Standing
from mtlattack.schemas import validate
from mtlattack.tasks import TaskMap, create_task

SHA = "0" * 64
EPS = (1 / 255, 2 / 255, 4 / 255, 8 / 255)
TASKS = {
    "segmentation": create_task("segmentation", classes=4),
    "depth": create_task("depth"),
    "normals": create_task("normals"),
}
ATTACKS = ("pgd-dgba", "apgd-total", "apgd-single:depth", "apgd-single:segmentation")


def around(value: float | None) -> Interval:
    """A value with an interval of a tenth to both sides."""
    if value is None:
        return Interval(value=None, low=None, high=None)
    return Interval(value=value, low=value - 0.1 * abs(value), high=value + 0.1 * abs(value))


def record_with(
    attacks: Sequence[str] = ATTACKS,
    eps: Sequence[float] = EPS,
    tasks: TaskMap = TASKS,
    strength: float = 1.0,
    skilled: bool = True,
) -> Record:
    """Skill falls and errors grow with ε and with the attack's place."""
    results = [
        _attack(name, level, tasks, 0.1 * strength * (1 + place) * (1 + 255 * level), skilled)
        for level in eps
        for place, name in enumerate(attacks)
    ]
    return Record(
        suite={"name": "toys", "version": 1, "sha256": SHA, "overrides": {}},
        model={"name": "toy", "sha256": SHA, "parameters": 10},
        data={"name": "toys", "split": "test", "images": 3, "sha256": {"id": SHA}, "fingerprint": SHA},
        tasks=[task.config() for task in tasks.values()],
        seed=0,
        batch_size=1,
        bootstrap={"resamples": 10, "seed": 0},
        environment={
            "versions": {}, "commit": "x", "system": "x", "device": "cpu", "dtype": "float32", "tf32": False,
            "threads": 1, "cpu_capability": "x", "cpus": 1, "started": "2026-01-01T00:00:00+00:00", "command": "x",
        },
        clean=_values(_metrics(tasks, 0.0)),
        clean_intervals=_metrics(tasks, 0.0),
        clean_losses=dict.fromkeys(tasks, 1.0),
        clean_skill=_skill(tasks, 0.0) if skilled else None,
        robust_skill=robust_skill(results),
        attacks=results,
    )  # fmt: skip


def standing_of(record: Record, identity: str = "a" * 16, status: Status = "self-reported", **card: Any) -> Standing:
    """The record at its headline ε, of a row with this model card."""
    model = {
        "name": "toy", "weights_sha256": SHA, "checkpoint_sha256": SHA, "parameters": 10, "layout": None,
        "sharing_degree": None, "adversarial_training": None, "extra_data": None, "licence": "MIT", "paper": None,
        "code": None,
    }  # fmt: skip
    document = {
        "suite": {"name": "toys", "version": 1, "sha256": SHA},
        "model": model | card,
        "submitted": {"name": "somebody", "at": "2026-01-01T00:00:00Z"},
        "evidence": {"file": "x", "sha256": SHA, "bytes": 1},
    }
    stored = stored_with(record, StoredRow(identity, Path("x"), {}, validate(Row, document)))
    eps = headline_eps(record)
    return Standing(stored, status, eps, robust_at(record, eps), strongest(record, eps))


def stored_with(record: Record, stored: StoredRow) -> StoredRow:
    """The stored row as if this record had been derived from its evidence."""
    vars(stored)["record"] = record
    return stored


def changed(record: Record, **fields: Any) -> Record:
    """The record with these fields of every attack, unchecked."""
    return record.model_copy(update={"attacks": [each.model_copy(update=fields) for each in record.attacks]})


def _attack(name: str, eps: float, tasks: TaskMap, harm: float, skilled: bool) -> AttackResult:
    metrics = _metrics(tasks, harm)
    return AttackResult(
        name=name, norm="linf", eps=eps, config={}, forward_passes=1, backward_passes=1,
        metrics=_values(metrics), intervals=metrics, skill=_skill(tasks, harm) if skilled else None, relative={},
        task_change=dict.fromkeys(tasks, -harm), arp=around(-harm), loss_change=around(harm), log_ratio=around(harm),
        worst=around(-harm), worst_task=next(iter(tasks)), max_linf=eps, max_l2=1.0, max_l1=1.0, max_pixels=1,
        gap=None, found=None, seconds=1.0,
    )  # fmt: skip


def _metrics(tasks: TaskMap, harm: float) -> dict[str, dict[str, Interval]]:
    return {
        name: {m.name: around(40 / (1 + harm) if m.higher_is_better else 0.5 * (1 + harm)) for m in task.metric_table}
        for name, task in tasks.items()
    }


def _values(metrics: Mapping[str, Mapping[str, Interval]]) -> dict[str, dict[str, float | None]]:
    return {task: {name: found.value for name, found in each.items()} for task, each in metrics.items()}


def _skill(tasks: TaskMap, harm: float) -> Skill:
    by_task = {name: around(0.8 / (1 + harm) - 0.1 * place) for place, name in enumerate(tasks)}
    values = [each.value or 0.0 for each in by_task.values()]
    return Skill(
        tasks=by_task, mean=around(sum(values) / len(values)), worst=around(min(values)), worst_task=list(tasks)[-1]
    )

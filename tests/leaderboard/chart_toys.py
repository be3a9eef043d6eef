"""Rows made by hand, for charts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlattack.analysis import Interval
from mtlattack.leaderboard.board import StoredRow
from mtlattack.leaderboard.ledger import Status
from mtlattack.leaderboard.rows.schema import Row
from mtlattack.leaderboard.standings import Standing, headline_eps, strongest
from mtlattack.schemas import validate

SHA = "0" * 64
EPS = (1 / 255, 2 / 255, 4 / 255, 8 / 255)
# Clean values in the units of rows; higher_is_better and unit come from the tasks.
TASKS: Mapping[str, Mapping[str, tuple[str, bool, float]]] = {
    "segmentation": {"miou": ("1", True, 0.4), "pixel_accuracy": ("1", True, 0.75)},
    "depth": {"abs_error": ("m", False, 0.5), "rel_error": ("1", False, 0.15)},
    "normals": {"angle_mean": ("rad", False, 0.36)},
}
ATTACKS = ("pgd-dgba", "apgd-total", "apgd-single:depth", "apgd-single:segmentation")


def around(value: float | None) -> dict[str, float | None]:
    """A value with an interval of a tenth to both sides."""
    return dict.fromkeys(("value", "low", "high")) if value is None else {
        "value": value, "low": 0.9 * value, "high": 1.1 * value,
    }  # fmt: skip


def row_with(
    attacks: Sequence[str] = ATTACKS,
    eps: Sequence[float] = EPS,
    tasks: Mapping[str, Mapping[str, tuple[str, bool, float]]] = TASKS,
    strength: float = 1.0,
    **card: Any,
) -> Row:
    """Errors grow, and shares fall, with ε and with the attack's place."""
    entries = [_attack(name, level, tasks, 0.1 * strength * (1 + i) * (1 + 255 * level)) for level in eps
               for i, name in enumerate(attacks)]  # fmt: skip
    model = {
        "name": "toy", "weights_sha256": SHA, "checkpoint_sha256": SHA, "parameters": 10, "layout": None,
        "sharing_degree": None, "adversarial_training": None, "extra_data": None, "licence": "MIT", "paper": None,
        "code": None,
    }  # fmt: skip
    document = {
        "suite": {"name": "toys", "version": 1, "sha256": SHA},
        "model": model | card,
        "submitted": {"name": "somebody", "at": "2026-01-01T00:00:00Z"},
        "data": {"name": "toys", "split": "test", "images": 3, "sha256": {"id": SHA}},
        "tasks": {
            task: {
                "config": {"kind": task},
                "metrics": {name: {"unit": unit, "higher_is_better": up} for name, (unit, up, _) in metrics.items()},
            }
            for task, metrics in tasks.items()
        },
        "threat": {"norm": "linf", "eps": list(eps), "quantized": False},
        "clean": {task: {name: around(value) for name, (*_, value) in m.items()} for task, m in tasks.items()},
        "clean_losses": dict.fromkeys(tasks, 1.0),
        "attacks": entries,
        "flags": [],
        "checked": [],
        "cost": {"forward_passes": 1, "backward_passes": 1, "seconds": 1.0},
        "environment": {
            "versions": {}, "commit": "x", "system": "x", "device": "cpu", "dtype": "float32", "tf32": False,
            "threads": 1, "cpu_capability": "x", "cpus": 1, "search_precision": "float32", "batch_size": 1, "seed": 0,
            "bootstrap": {"resamples": 10, "seed": 0}, "started": "2026-01-01T00:00:00Z", "command": "x",
        },
        "evidence": {"file": "x", "sha256": SHA, "bytes": 1},
    }  # fmt: skip
    return validate(Row, document)


def changed(row: Row, **fields: Any) -> Row:
    """The row with other fields, unchecked."""
    return row.model_copy(update=fields)


def nothing() -> Interval:
    """An undefined number."""
    return Interval(value=None, low=None, high=None)


def standing_of(row: Row, identity: str = "a" * 16, status: Status = "self-reported") -> Standing:
    """The row at its headline ε."""
    eps = headline_eps(row)
    return Standing(StoredRow(identity, Path("x"), {}, row), status, eps, strongest(row, eps))


def _attack(name: str, eps: float, tasks: Mapping[str, Mapping[str, tuple[str, bool, float]]], harm: float) -> Any:
    return {
        "name": name, "eps": eps, "config": {}, "forward_passes": 1, "backward_passes": 1, "seconds": 1.0,
        "metrics": {
            task: {metric: around(value / (1 + harm) if up else value * (1 + harm))
                   for metric, (_, up, value) in metrics.items()}
            for task, metrics in tasks.items()
        },
        "task_change": dict.fromkeys(tasks, -harm),
        "arp": around(-harm), "loss_change": around(harm), "log_ratio": around(harm), "worst": around(-harm),
        "worst_task": next(iter(tasks)), "max_linf": eps, "max_l2": 1.0, "max_l1": 1.0, "max_pixels": 1,
        "gap": None, "found": None, "members": None,
    }  # fmt: skip

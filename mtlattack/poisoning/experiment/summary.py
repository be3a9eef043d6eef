"""Cells of all seeds as a few numbers with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from mtlattack.poisoning.experiment.plan import ALARM, Cell, Plan
from mtlattack.poisoning.losses import Array
from mtlattack.poisoning.metrics import HEADLINE
from mtlattack.poisoning.tasks import Kind


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % interval, by Student's t: nothing but the mean for a single seed."""

    mean: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float | None] | Array) -> "Estimate":
        """Of one value a seed; those that are not there do not count."""
        known = np.array([v for v in values if v is not None], np.float64)
        known = known[np.isfinite(known)]
        if not len(known):
            return cls(None, None, None)
        mean = float(known.mean())
        if len(known) < 2:
            return cls(mean, None, None)
        reach = float(stdtrit(len(known) - 1, 0.975) * known.std(ddof=1) / np.sqrt(len(known)))
        return cls(mean, mean - reach, mean + reach)

    def __str__(self) -> str:
        if self.mean is None:
            return "–"
        interval = "" if self.low is None else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.mean:.3f}{interval}"


def target_error(numbers: Mapping[str, Any], kind: Kind, names: Sequence[str], defence: str | None = None) -> float:
    """The headline error of a cell, mean over its targets; NaN where it has none."""
    found = (numbers if defence is None else numbers["defended"][defence])["errors"][HEADLINE[kind]]
    chosen = [found[list(names).index(target)] for target in numbers["targets"]]
    known = [value for value in chosen if value is not None]
    return float(np.mean(known)) if known else float("nan")


def summarise(
    plan: Plan, kind: Kind, names: Sequence[str], done: Mapping[Cell, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A row an attack and budget: the targets' error and how much it rose over the clean one of the same seed, also
    with each defence; the first row is the clean one."""
    clean = {cell.seed: numbers for cell, numbers in done.items() if cell.method is None}
    groups: dict[tuple[Any, ...], dict[int, Mapping[str, Any]]] = {}
    for cell, numbers in done.items():
        groups.setdefault((cell.mode, cell.method, cell.budget), {})[cell.seed] = numbers
    rows = []
    for (mode, method, budget), by_seed in groups.items():
        error = {seed: target_error(numbers, kind, names) for seed, numbers in by_seed.items()}
        before = {seed: target_error(clean[seed], kind, names) for seed in by_seed}
        row: dict[str, Any] = {
            "mode": mode,
            "method": method,
            "budget": budget,
            "injected": Estimate.of([n["injected"] for n in by_seed.values()]).mean,
            "error": Estimate.of(list(error.values())),
            "damage": Estimate.of([error[seed] - before[seed] for seed in by_seed]),
            "utility": Estimate.of([numbers["utility"] for numbers in by_seed.values()]),
            "seconds": Estimate.of([numbers["attack_seconds"] for numbers in by_seed.values()]).mean,
            "defended": {},
        }
        for name in plan.defences:
            if name == ALARM:
                row["alarm"] = Estimate.of([numbers["alarm"]["raised"] for numbers in by_seed.values()])
                continue
            after = {seed: target_error(numbers, kind, names, name) for seed, numbers in by_seed.items()}
            row["defended"][name] = {
                "error": Estimate.of(list(after.values())),
                "damage": Estimate.of([after[seed] - before[seed] for seed in by_seed]),
                "dropped_clean": Estimate.of([n["defended"][name]["dropped_clean"] for n in by_seed.values()]).mean,
                "dropped_injected": Estimate.of(
                    [n["defended"][name]["dropped_injected"] for n in by_seed.values()]
                ).mean,
            }
        rows.append(row)
    return rows

"""Skills of the vision study's heads, found by arm, stages, labels, target and seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtlattack.studies.nested import Array
from mtlattack.studies.representation_vision.plan import IMAGENET, ORACLE
from mtlattack.studies.study import Measured

LEAST = -1.0
"""Worse than this counts as this, or one head with an unbounded error would be the mean."""
Run = tuple[str, int]
"""Target and seed: what is drawn again."""


@dataclass(frozen=True, order=True)
class Arm:
    """Backbones for targets of a data set: trained here on so many other tasks of it, or, with `tasks` 0, from
    elsewhere."""

    data: str
    tasks: int
    origin: str = ""

    def __str__(self) -> str:
        return f"{self.data} t={self.tasks}" if self.tasks else f"{self.origin}→{self.data}"


class Skills:
    """Skill `[1 + resamples]`, no less than `LEAST`, of every head."""

    def __init__(self, measured: Sequence[Measured]) -> None:
        self._heads: dict[tuple[Arm, str], dict[Run, Mapping[str, Any]]] = {}
        self._oracles: dict[str, dict[Run, Mapping[str, Any]]] = {}
        self.labels: list[int] = sorted({count for cell in measured for count in cell.settings["labels"]})
        for cell in measured:
            for target, heads in cell.numbers["heads"].items():
                run = (target, cell.settings["seed"])
                if cell.settings["kind"] == ORACLE:
                    self._oracles.setdefault(cell.settings["data"], {})[run] = heads[ORACLE]
                else:
                    self._heads.setdefault((_arm(cell.settings), cell.settings["stage1"]), {})[run] = heads
        self.arms = sorted({arm for arm, _ in self._heads})

    def own(self) -> dict[str, list[Arm]]:
        """Arms that were trained here, by data set from few source tasks to many."""
        found: dict[str, list[Arm]] = {}
        for arm in self.arms:
            if arm.tasks:
                found.setdefault(arm.data, []).append(arm)
        return found

    def stages(self, arm: Arm) -> list[str]:
        """The kinds of stage 1 that an arm has: clean, robust or both."""
        return sorted(stage for other, stage in self._heads if other == arm)

    def targets(self, arm: Arm) -> list[str]:
        """Tasks that are held out in an arm."""
        return sorted({target for (other, _), runs in self._heads.items() if other == arm for target, _ in runs})

    def of(self, arm: Arm, stage: str, head: str, kind: str = "robust") -> dict[Run, Array]:
        """Of one head by target and seed; nothing for what was not measured."""
        return dict(_clipped(self._heads.get((arm, stage), {}), head, kind))

    def oracle(self, data: str) -> dict[Run, Array]:
        """What training on all labels of the target attains, under attack."""
        return dict(_clipped({run: {ORACLE: found} for run, found in self._oracles.get(data, {}).items()}, ORACLE))


def difference(one: Mapping[Run, Array], other: Mapping[Run, Array]) -> list[Array]:
    """By how much one is better than another, for each target and seed that both have."""
    return [one[run] - other[run] for run in one if run in other]


def _clipped(runs: Mapping[Run, Mapping[str, Any]], head: str, kind: str = "robust") -> Iterator[tuple[Run, Array]]:
    for run, heads in runs.items():
        if kind in heads.get(head, {}):
            yield run, np.maximum(np.atleast_1d(heads[head][kind]), LEAST)


def _arm(settings: Mapping[str, Any]) -> Arm:
    if settings["kind"] == "own":
        return Arm(settings["data"], len(settings["sources"]))
    model = settings["model"]
    return Arm(settings["data"], 0, model if model == IMAGENET else model.split("-")[0])

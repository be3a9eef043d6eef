"""What the checks look at: a finished run, attack by attack."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtlattack.analysis.change import Change
from mtlattack.analysis.resampling import Array, Weights, blocks
from mtlattack.analysis.skill import Metrics
from mtlattack.epsilon import threat_text
from mtlattack.evidence import DIAGNOSTICS, Outcome, part_of
from mtlattack.tasks import Task

Sighting = tuple[str | None, str]


@dataclass(frozen=True)
class Job:
    """An attack that was run, by its entry in the plan; `change` is under the run's weights, so that two compare."""

    planned: Mapping[str, Any]
    outcome: Outcome
    change: Change

    @property
    def config(self) -> Mapping[str, Any]:
        """Everything that makes the attack."""
        config: Mapping[str, Any] = self.planned["config"]
        return config

    @property
    def name(self) -> str:
        """Of the attack."""
        return str(self.config["name"])

    @property
    def threat(self) -> str:
        """As it prints: `linf 4/255`."""
        return threat_text(self.config["norm"], self.config["eps"], self.config.get("quantized", False))

    @property
    def white_box(self) -> bool:
        """Whether it follows gradients on the image that it changes."""
        return bool(self.planned.get("white_box", True))

    @property
    def targeted(self) -> bool:
        """Whether it leads to a target, and not to the highest losses."""
        return bool(self.config.get("target"))

    @property
    def seeks_smallest(self) -> bool:
        """Whether it looks for the smallest perturbation that does something, and is not to be as strong as it can."""
        return any(np.isfinite(found).any() for found in self.noted("found"))

    def noted(self, diagnostic: str) -> Iterator[Array]:
        """What the attack noted of the images under a name of DIAGNOSTICS, `[B]` block by block (`blocks`)."""
        diagnostics = self.outcome.diagnostics
        return (
            part_of(diagnostics, rows)[:, DIAGNOSTICS.index(diagnostic)] for rows in blocks(len(diagnostics))
        )  # fmt: skip

    @property
    def strength(self) -> Array:
        """The mean log loss ratio, `[R]`."""
        return self.change.log_ratio

    def __str__(self) -> str:
        return f"{self.name} ({self.threat})"


@dataclass(frozen=True)
class Finished:
    """A run: its jobs, the clean outcome, the resampling weights `[R, N]` whose first row is the images as they are,
    what calls of the model showed when it started, where somebody looked, and under the weights the clean metrics and
    those of the best constant answers, where the evidence has them."""

    jobs: Sequence[Job]
    clean: Outcome
    tasks: Mapping[str, Task]
    weights: Weights
    calls: Mapping[str, Any] | None
    clean_metrics: Metrics
    constant: Metrics | None

    def by_threat(self) -> list[list[Job]]:
        """The jobs of each threat."""
        groups: dict[str, list[Job]] = {}
        for job in self.jobs:
            groups.setdefault(job.threat, []).append(job)
        return list(groups.values())

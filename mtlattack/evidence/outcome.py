"""Evidence: what was measured of each image, task and attack; numbers and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.evidence.mapped import part_of
from mtlattack.tasks import Task, task_from_config

CLEAN = "clean"
# The l_inf, l_2 and l_1 norm over all pixel values, and the number of pixels that changed.
NORMS = ("linf", "l2", "l1", "l0")
# What attacks note: whether the first gradient of a climb was zero, how far a program's solution may at most be from
# its optimum, whether a perturbation that was looked for was found.
DIAGNOSTICS = ("vanished", "gap", "found")

# What says how far a targeted attack has led a task: the loss to its goal on the clean and on the attacked image;
# the labelled pixels whose goal is not their label, and over these the sums of how far the prediction is from the goal,
# before and after (`Task.apart`); the other labelled pixels, and by how much the attack has moved their predictions.
ARRIVAL = ("loss_before", "loss_after", "aimed", "before", "after", "rest", "moved")


@dataclass(frozen=True)
class Measurement:
    """What a model made of B images: losses `[B, T]`, statistics by task `[B, S]`, norms of each perturbation `[B, 4]`
    (NORMS), float64; and what the attack noted of each image, `[B, D]` (DIAGNOSTICS), NaN where it noted nothing."""

    losses: NDArray[Any]
    statistics: dict[str, NDArray[Any]]
    perturbation: NDArray[Any]
    diagnostics: NDArray[Any]


@dataclass(frozen=True)
class Outcome:
    """What one attack (or none) did to N images: losses `[N, T]`, statistics by task `[N, S]`, `perturbation` `[N, 4]`
    (columns NORMS), `diagnostics` `[N, D]` (columns DIAGNOSTICS, NaN where nothing was noted), `seconds` `[N]` spent.

    `arrival` `[N, T, A]` (columns ARRIVAL, NaN for a task without a goal) is there for a targeted attack alone.
    """

    losses: NDArray[np.float64]
    statistics: dict[str, NDArray[np.float64]]
    perturbation: NDArray[np.float64]
    diagnostics: NDArray[np.float64]
    seconds: NDArray[np.float64]
    arrival: NDArray[np.float64] | None = None

    def part(self, rows: slice) -> "Outcome":
        """Of some images, in memory; nothing else of arrays that lie in a file stays there."""
        return Outcome(
            part_of(self.losses, rows),
            {name: part_of(values, rows) for name, values in self.statistics.items()},
            part_of(self.perturbation, rows),
            part_of(self.diagnostics, rows),
            part_of(self.seconds, rows),
            None if self.arrival is None else part_of(self.arrival, rows),
        )


@dataclass(frozen=True)
class Evidence:
    """A finished run: its plan, the images' ids, and one outcome a job in the plan's order, `clean` first.

    `constant` holds by task the statistics `[N, S]` of the best constant answer, which skill is measured against; None
    in evidence of format 2, which knew no skill.
    """

    plan: dict[str, Any]
    environment: dict[str, Any]
    ids: list[str]
    tasks: dict[str, Task]
    clean: Outcome
    attacked: list[Outcome]
    constant: dict[str, NDArray[np.float64]] | None = None


def job_names(plan: Mapping[str, Any]) -> list[str]:
    """Names of the jobs: `clean`, then one a planned attack, numbered as the plan orders them."""
    return [CLEAN, *(f"attacks/{index:04d}" for index in range(len(plan["attacks"])))]


def targets_of(plan: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Of the attacks with a target, by the names of their jobs, what it is: a goal's text by task."""
    configs = [attack.get("config") for attack in plan["attacks"]]
    named = zip(job_names(plan)[1:], configs, strict=True)
    return {name: config["target"] for name, config in named if isinstance(config, dict) and config.get("target")}


def tasks_of_plan(plan: Mapping[str, Any]) -> dict[str, Task]:
    """The tasks that were evaluated, by name, in the order of the loss columns."""
    tasks = [task_from_config(config) for config in plan["tasks"]]
    return {task.name: task for task in tasks}

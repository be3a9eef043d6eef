"""M2: whether a task suffers less the more tasks are attacked with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mtlattack.attacks import create_step
from mtlattack.attacks.aggregators.total import Total
from mtlattack.attacks.composed import ComposedAttack
from mtlattack.attacks.threat import Threat
from mtlattack.studies.nested import Array, effect
from mtlattack.studies.networks import clean_networks, load
from mtlattack.studies.pictures import Line, Trend, plot_trends
from mtlattack.studies.strength import attacked, rounded
from mtlattack.studies.study import Cell, Claim, Measured, Study, Table, Verdict

EPS = 4


@dataclass(frozen=True, kw_only=True)
class Among(Total):
    """The plain sum over some of a model's tasks; the other heads are not touched."""

    kind: ClassVar[str] = "among"

    chosen: tuple[str, ...]

    def tasks(self, names: Sequence[str]) -> tuple[str, ...]:
        """Its own, in the model's order."""
        return tuple(name for name in names if name in self.chosen)

    def config(self) -> dict[str, Any]:
        """A list, as JSON gives it back."""
        return {"chosen": list(self.chosen)}


def drops(attacks: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[int, Array]:
    """Of `strength.strength` by the names of the attacked tasks, joined with a plus: by how many these are, how much
    the metrics of an attacked task become worse relative to the clean ones, mean over these tasks and sets of so many
    tasks, `[1 + RESAMPLES]`."""
    by_size: dict[int, list[Array]] = {}
    for label, numbers in attacks.items():
        chosen = label.split("+")
        by_size.setdefault(len(chosen), []).extend(-np.array(numbers[f"task:{task}"]) for task in chosen)
    return {size: np.mean(values, 0) for size, values in sorted(by_size.items())}


def slope(by_size: Mapping[int, Array]) -> Array:
    """Least squares of the drop, as a share of that under an attack on the task alone, on log(number of tasks)."""
    x = np.array([log(size) for size in by_size])
    y = np.stack([values / by_size[1] for values in by_size.values()], 1)
    centred = x - x.mean()
    fitted: Array = y @ centred / (centred @ centred)
    return fitted


def _drops_of(cell: Measured) -> dict[int, Array]:
    return {int(size): np.array(values) for size, values in cell.numbers["drops"].items()}


class M2(Claim):
    """The drop under all tasks against that under one, and its trend between."""

    name = "M2"
    sentence = "The relative drop of a task falls as more tasks join the attack."
    rule = (
        "every set of a model's tasks is attacked by the sum of its losses with the same steps; drop = mean relative "
        "worsening of the metrics of an attacked task; holds if the drop under one task minus that under all, and "
        "minus the slope of the drop on log(number of tasks), are both above 0 at p < .05 (hierarchical bootstrap, "
        "networks then images); fails if one is below 0 at the same level; else, or with fewer than 3 networks, "
        "undecided"
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Over all models."""
        by_model = [_drops_of(cell) for cell in measured]
        falls = effect([1 - sizes[max(sizes)] / sizes[1] for sizes in by_model])
        trend = effect([-slope(sizes) for sizes in by_model])
        numbers = {"falls": vars(falls), "minus_slope": vars(trend)}
        told = f"from one task to all the drop falls by a share of {falls}, by {trend} for each factor of e"
        if falls.above and trend.above:
            return Verdict("holds", told, numbers)
        return Verdict("fails" if falls.below or trend.below else "undecided", told, numbers)


class JointAttackStudy(Study):
    """PGD on the sum of every set of tasks."""

    name = "joint-attack"
    paper = "Mao et al.: Multitask Learning Strengthens Adversarial Robustness (arXiv 2007.07236)"
    summary = "It is harder to hurt many tasks at once than one."
    cost = "full: 7 networks, 16 images, 7 or 31 attacks of 10 passes; quick: 1 network, 2 images"
    claims = (M2(),)

    def cells(self, quick: bool) -> list[Cell]:
        """A cell a network."""
        steps, images = (2, 2) if quick else (10, 16)
        return [
            Cell(self.name, model, {"model": model, "steps": steps, "images": images, "eps": EPS}, work=images)
            for model in clean_networks(quick)
        ]

    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """`drops` under the attacks on every set of tasks."""
        model, data = load(settings["model"], settings["images"])
        tasks = list(model.tasks)
        sets = [chosen for size in range(1, len(tasks) + 1) for chosen in combinations(tasks, size)]
        attacks = {
            "+".join(chosen): ComposedAttack(
                threat=Threat("linf", settings["eps"] / 255),
                aggregator=Among(chosen=chosen),
                step=create_step("pgd", steps=settings["steps"]),
            )
            for chosen in sets
        }
        found = attacked(model, data, attacks, folder, settings["model"])
        return {
            "images": found["images"],
            "drops": {str(size): rounded(values) for size, values in drops(found["attacks"]).items()},
        }

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        """The drop by the number of tasks, one line a model."""
        rows = []
        for cell in measured:
            found = _drops_of(cell)
            rows.append([cell.name, *(f"{100 * values[0]:.1f}" for values in found.values())])
        most = max(len(row) for row in rows)
        columns = ["model", *(f"{size} attacked" for size in range(1, most))]
        return [Table("drop of an attacked task, %", columns, [row + [""] * (most - len(row)) for row in rows])]

    def plot(self, measured: Sequence[Measured], folder: Path) -> list[Path]:
        """The drop by the number of tasks, a line a network."""
        lines = []
        for cell in measured:
            found = _drops_of(cell)
            lines.append(Line(cell.name, list(found), [effect([100 * values]) for values in found.values()]))
        panel = Trend("PGD on the sum of so many tasks", "tasks attacked", "drop of an attacked task, %", lines)
        return [plot_trends([panel], folder / "joint-attack.png")]

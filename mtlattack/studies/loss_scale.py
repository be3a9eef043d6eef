"""C2: whether DGBA's lead over the plain sum grows with how far the tasks' losses are apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from mtlattack.attacks import create_aggregator, create_step
from mtlattack.attacks.composed import ComposedAttack
from mtlattack.attacks.criteria import Criterion
from mtlattack.attacks.threat import Threat
from mtlattack.studies.nested import Array, effect
from mtlattack.studies.networks import clean_networks, load
from mtlattack.studies.pictures import Line, Trend, plot_trends
from mtlattack.studies.strength import attacked, stronger
from mtlattack.studies.study import Cell, Claim, Measured, Study, Table, Verdict
from mtlattack.tasks import Task
from mtlattack.wording import counted

EPS = 4
FACTORS = (0.01, 0.1, 1.0, 10.0, 100.0)
Cells = dict[tuple[str, float], Measured]
# DGBA's numbers may move by rounding where a loss is multiplied.
SAME = 0.01


@dataclass(frozen=True)
class Scaled(Criterion):
    """A task's loss times a factor, in all that an attack does with it."""

    kind: ClassVar[str] = "scaled"
    judges: ClassVar[bool] = True

    task: str
    factor: float

    def loss(self, task: Task, prediction: Tensor, target: Tensor, progress: float) -> Tensor:
        value = task.loss(prediction, target)
        return self.factor * value if task.name == self.task else value


class C2(Claim):
    """The lead at both ends of the range against that at 1."""

    name = "C2"
    sentence = "The lead of DGBA over the sum grows with the ratio of loss scales; DGBA itself does not feel them."
    rule = (
        "one task's loss is multiplied by .01 … 100, each task in turn; lead = DGBA minus total by mean relative loss "
        "change; holds if the leads at .01 and at 100 are both larger than at 1, each at p < .05 (hierarchical "
        "bootstrap over networks, then images), and DGBA's own loss change stays within 1 % of that at 1 for every "
        "factor; fails if one of the two is smaller at p < .05 or DGBA moves by more; else, or with fewer than 3 "
        "networks, undecided"
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Of each network the mean over tasks, paired by task and image."""
        by_model = _by_model(measured)
        at_ends = {
            factor: effect([lead(cells, factor) - lead(cells, 1.0) for cells in by_model.values()])
            for factor in (FACTORS[0], FACTORS[-1])
        }
        moved = max(
            abs(_dgba(scaled) / _dgba(cells[task, 1.0]) - 1)
            for cells in by_model.values()
            for (task, _), scaled in cells.items()
        )
        numbers = {"moved": moved, "growth": {str(factor): vars(each) for factor, each in at_ends.items()}}
        told = " and ".join(f"{each} at {factor:g}" for factor, each in at_ends.items())
        told = f"the lead grows by {told}; DGBA moves by at most {moved:.2%}"
        if moved > SAME or any(each.below for each in at_ends.values()):
            return Verdict("fails", told, numbers)
        holds = all(each.above for each in at_ends.values())
        return Verdict("holds" if holds else "undecided", told, numbers)


def _by_model(measured: Sequence[Measured]) -> dict[str, Cells]:
    """The cells of each network, by scaled task and factor."""
    found: dict[str, Cells] = {}
    for cell in measured:
        found.setdefault(cell.settings["model"], {})[cell.settings["task"], cell.settings["factor"]] = cell
    return found


def lead(cells: Cells, factor: float) -> Array:
    """How much stronger DGBA is than the sum by mean relative loss change with this factor, mean over scaled tasks,
    `[1 + RESAMPLES]`."""
    leads = [stronger(c.numbers, "dgba", "total", "loss_change") for (_, each), c in cells.items() if each == factor]
    mean: Array = np.mean(leads, 0)
    return mean


def _dgba(cell: Measured) -> float:
    return float(cell.numbers["attacks"]["dgba"]["loss_change"][0])


class LossScaleStudy(Study):
    """DGBA and the sum on networks one of whose losses is multiplied by a factor."""

    name = "loss-scale"
    paper = "Zhang, Liu, Mahmood, Ding, Guan: Attacking All Tasks at Once (arXiv 2305.12066)"
    summary = "DGBA does not feel the units of losses, and the plain sum does."
    cost = "full: 7 networks, 3 tasks, 5 factors, 16 images, 2 attacks of 20 passes; quick: 1 network, 2 images"
    claims = (C2(),)

    def cells(self, quick: bool) -> list[Cell]:
        """A cell a network, task and factor."""
        passes, images = (4, 2) if quick else (20, 16)
        shared = {"passes": passes, "images": images, "eps": EPS}
        return [
            Cell(
                self.name,
                f"{model}-{task}-x{factor:g}",
                {"model": model, "task": task, "factor": factor, **shared},
                work=images,
            )
            for model in clean_networks(quick)
            for task in (("depth",) if quick else ("segmentation", "depth", "normals"))
            for factor in FACTORS
        ]

    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """`strength.attacked` of both."""
        model, data = load(settings["model"], settings["images"])
        criterion = Scaled(settings["task"], settings["factor"])
        attacks = {
            name: ComposedAttack(
                threat=Threat("linf", settings["eps"] / 255),
                aggregator=create_aggregator(name),
                step=create_step("apgd", steps=settings["passes"]),
                criterion=criterion,
            )
            for name in ("dgba", "total")
        }
        return attacked(model, data, attacks, folder, settings["model"])

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        """The lead and DGBA's own loss change by factor."""
        by_model = _by_model(measured)
        rows = []
        for factor in FACTORS:
            own = np.mean([_dgba(cell) for cell in measured if cell.settings["factor"] == factor])
            found = effect([lead(cells, factor) for cells in by_model.values()])
            rows.append([f"{factor:g}", str(found), f"{own:.4g}"])
        title = f"one task's loss times a factor ({counted(len(by_model), 'network')}), by mean relative loss change"
        return [Table(title, ["factor", "DGBA − total", "DGBA"], rows)]

    def plot(self, measured: Sequence[Measured], folder: Path) -> list[Path]:
        """The lead by factor, of each network and of all."""
        by_model = _by_model(measured)
        lines = [
            Line(name, FACTORS, [effect([lead(cells, factor)]) for factor in FACTORS])
            for name, cells in by_model.items()
        ]
        of_all = [effect([lead(cells, factor) for cells in by_model.values()]) for factor in FACTORS]
        lines.append(Line(f"mean of {len(by_model)}", FACTORS, of_all))
        panel = Trend("one loss times a factor", "factor", "DGBA − total, mean relative loss change", lines, log=True)
        return [plot_trends([panel], folder / "loss-scale.png")]

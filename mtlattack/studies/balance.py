"""C1 and C5: whether balancing by the current losses makes the strongest attack on all tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtlattack.attacks import Attack, create_attack
from mtlattack.studies.nested import Effect, effects
from mtlattack.studies.networks import ROOMS, families
from mtlattack.studies.pictures import Forest, plot_forests
from mtlattack.studies.strength import MEASURES, attacked, stronger
from mtlattack.studies.study import Cell, Claim, Measured, Study, Table, Verdict
from mtlattack.studies.trained import network_of, reseeded_cells

EPS = 4
DGBA = "dgba"
_TRAININGS = ("clean", "robust")


def compare(measured: Sequence[Measured], training: str, measure: str) -> dict[str, Effect]:
    """DGBA against each rival, single-task attacks by their task, over all models of this training; p by Holm."""
    cells = [cell for cell in measured if cell.settings["training"] == training]
    rivals = dict.fromkeys(label for cell in cells for label in cell.numbers["attacks"] if label != DGBA)
    return effects(
        {
            rival: [stronger(cell.numbers, DGBA, rival, measure) for cell in cells if rival in cell.numbers["attacks"]]
            for rival in rivals
        }
    )


@dataclass(frozen=True)
class Strongest(Claim):
    """DGBA beats every rival by one of `MEASURES`, on networks of one training."""

    name: str
    training: str
    measure: str
    sentence: str

    @property
    def rule(self) -> str:  # type: ignore[override]
        """The same for all but the measure."""
        return _RULE.format(measure=MEASURES[self.measure][0])

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Every difference above zero, or one below it, or neither."""
        found = compare(measured, self.training, self.measure)
        numbers = {rival: vars(each) for rival, each in found.items()}
        beaten_by = [rival for rival, each in found.items() if each.below]
        if beaten_by:
            worst = min(beaten_by, key=lambda rival: found[rival].value)
            return Verdict("fails", f"{worst} is stronger by {-found[worst].value:.3g}: {found[worst]}", numbers)
        open_rivals = [rival for rival, each in found.items() if not each.above]
        if open_rivals:
            told = ", ".join(f"{rival} {found[rival]}" for rival in open_rivals)
            return Verdict("undecided", f"no difference shown from {told}", numbers)
        nearest = min(found, key=lambda rival: found[rival].value)
        return Verdict("holds", f"stronger than all {len(found)}; the nearest is {nearest}: {found[nearest]}", numbers)


_RULE = (
    "DGBA minus each rival (total, sign-sum, every single-task attack) by the {measure}, paired over images, mean over "
    "networks: holds if every difference is above 0 at p < .05 (hierarchical bootstrap, networks then images; Holm "
    "over the rivals), fails if one is below 0 at the same level, else, or with fewer than 3 networks, undecided"
)


C1_LOSSES = Strongest(
    "C1-loss", "clean", "loss_change",
    "At equal backward passes DGBA raises the mean relative loss more than total, sign-sum and single tasks.",
)  # fmt: skip
C1_PERFORMANCE = Strongest(
    "C1-arp", "clean", "arp", "At equal backward passes DGBA lowers the average relative performance most."
)
C1_SKILL = Strongest("C1-skill", "clean", "skill", "At equal backward passes DGBA leaves the least skill.")
C5_LOSSES = Strongest(
    "C5-loss", "robust", "loss_change",
    "DGBA stays the strongest by mean relative loss on adversarially trained models.",
)  # fmt: skip
C5_PERFORMANCE = Strongest(
    "C5-arp", "robust", "arp",
    "DGBA stays the strongest by average relative performance on adversarially trained models.",
)  # fmt: skip


class BalanceStudy(Study):
    """DGBA against total, sign-sum and every single-task attack at equal backward passes, on shipped networks and on
    networks of the rooms trained from other seeds."""

    name = "balance"
    paper = "Zhang, Liu, Mahmood, Ding, Guan: Attacking All Tasks at Once (arXiv 2305.12066)"
    summary = "Weighing tasks by their current losses makes the strongest attack on all of them."
    cost = (
        "full: 14 shipped networks and 18 trained on 1,024 rooms for 5 epochs, 32 images, 6 or 8 attacks of 20 passes; "
        "quick: 2 networks, 2 images"
    )
    claims = (C1_LOSSES, C1_PERFORMANCE, C1_SKILL, C5_LOSSES, C5_PERFORMANCE)

    def cells(self, quick: bool) -> list[Cell]:
        """A cell a network, shipped or trained."""
        passes, images, layouts = (5, 2, 1) if quick else (20, 32, None)
        same = {"passes": passes, "images": images, "eps": EPS}
        found = [
            Cell(self.name, model, {"model": model, "training": training, **same}, work=images)
            for family in families(quick)
            for training, models in zip(_TRAININGS, (family.clean, family.robust), strict=True)
            for model in models[:layouts]
        ]
        if quick:
            return found
        # Adversarial training costs three times as much: the two layouts that share most.
        for training, models in zip(_TRAININGS, (ROOMS.clean, ROOMS.robust[:2]), strict=True):
            found += reseeded_cells(self.name, models, {"training": training, **same})
        return found

    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """`strength.attacked` of all contestants."""
        model, data = network_of(settings, folder)
        return attacked(model, data, contestants(list(model.tasks), settings), folder, settings["model"])

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        """A table a training and measure: DGBA minus each rival."""
        tables = []
        for training in _TRAININGS:
            cells = [cell for cell in measured if cell.settings["training"] == training]
            if not cells:
                continue
            by_measure = {measure: compare(measured, training, measure) for measure in MEASURES}
            rivals = list(by_measure["arp"])
            rows = [[rival, *(str(by_measure[measure][rival]) for measure in MEASURES)] for rival in rivals]
            title = f"{training} models ({len(cells)}): how much stronger DGBA is than"
            tables.append(Table(title, ["rival", *(what for what, _ in MEASURES.values())], rows))
        return tables

    def plot(self, measured: Sequence[Measured], folder: Path) -> list[Path]:
        """DGBA minus each rival: a row a training, a panel a measure."""
        trainings = [each for each in _TRAININGS if any(cell.settings["training"] == each for cell in measured)]
        panels = [
            [
                Forest(f"{training}: {what}", "DGBA stronger by", compare(measured, training, measure))
                for measure, (what, _) in MEASURES.items()
            ]
            for training in trainings
        ]
        return [plot_forests(panels, folder / "balance.png")]


def contestants(tasks: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Attack]:
    """The attacks by label, each with the same number of backward passes under `apgd`; the sign-sum, which takes one a
    task at a step, with no fewer."""
    passes, eps = settings["passes"], settings["eps"] / 255

    def made(aggregator: str, steps: int) -> Attack:
        return create_attack(f"apgd-{aggregator}", eps=eps, steps=steps)

    joint = {DGBA: made(DGBA, passes), "total": made("total", passes)}
    singles = {f"single:{task}": made(f"single:{task}", passes) for task in tasks}
    return {**joint, "signsum": made("signsum", -(-passes // len(tasks))), **singles}

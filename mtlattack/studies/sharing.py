"""C3 and C4: what sharing stages between tasks means for transfer between them, and for robustness."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np

from mtlattack.analysis.transfer.correlation import Pair, spearman
from mtlattack.attacks import create_attack
from mtlattack.models import Layout
from mtlattack.studies.nested import LEAST_MODELS, Array, Effect, effect
from mtlattack.studies.networks import ROOMS, SHIPPED_SEED, clean_networks
from mtlattack.studies.pictures import Forest, Line, Trend, plot_forests, plot_trends
from mtlattack.studies.strength import attacked
from mtlattack.studies.study import Cell, Claim, Measured, Study, Table, Verdict
from mtlattack.studies.trained import network_of, reseeded_cells
from mtlattack.wording import counted

EPS = 4
JOINT = "dgba"


def carried(cell: Measured) -> tuple[list[tuple[str, str]], Array]:
    """Ordered pairs of tasks (i, j), and for each how much j drops under an attack on i alone over its drop under one
    on itself, `[1 + RESAMPLES, pairs]`."""
    attacks = cell.numbers["attacks"]
    tasks = [label.partition(":")[2] for label in attacks if label.startswith("single:")]

    def drop(task: str, under: str) -> Array:
        return -np.array(attacks[f"single:{under}"][f"task:{task}"])

    pairs = list(permutations(tasks, 2))
    return pairs, np.stack([drop(j, i) / drop(j, j) for i, j in pairs], 1)


def rank_correlation(cell: Measured) -> Array | None:
    """Spearman's ρ of transfer and the share of the stages that the pair has in common, `[1 + RESAMPLES]`; None where
    all pairs have the same number of stages in common."""
    pairs, values = carried(cell)
    depth = np.array([cell.numbers["depth"]["|".join(sorted(pair))] for pair in pairs])
    if np.ptp(depth) == 0:
        return None
    common = np.broadcast_to(depth, values.shape)[:, None, :]
    return spearman([Pair(common, values[:, None, :], np.ones((1, len(pairs)), bool), shared=0)])


class C3(Claim):
    """Rank correlation within networks whose pairs of tasks branch at different stages."""

    name = "C3"
    sentence = "An attack on one task carries over to another the more, the later the two branch."
    rule = (
        "transfer = drop of j under an attack on i alone ÷ drop of j under one on j alone; Spearman's ρ of transfer "
        "and the stage at which the pair branches over the pairs of a network, in every network where that differs; "
        "holds if the mean ρ over networks is above 0 at p < .05 (hierarchical bootstrap, networks then images), "
        "fails if it is below 0 at the same level; else, or with fewer than 3 such networks, undecided"
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Over the networks of partly shared layouts."""
        found = [rho for cell in measured if (rho := rank_correlation(cell)) is not None]
        if not found:
            return Verdict("undecided", "no network whose pairs of tasks branch at different stages")
        mean = effect(found)
        told = f"ρ = {mean} over {counted(len(found), 'network')}"
        return Verdict("holds" if mean.above else "fails" if mean.below else "undecided", told, {"rho": vars(mean)})


class C4(Claim):
    """Skill against the degree of sharing."""

    name = "C4"
    sentence = "Clean performance rises and attacked performance falls with sharing."
    rule = (
        "slope of clean skill, and of the skill that apgd-dgba leaves, on the sharing degree over the layouts of one "
        "data set that were trained with one seed; mean over data sets and seeds (hierarchical bootstrap); holds if "
        "the first is above and the second below 0 at p < .05 each, fails if one has the other sign at that level; "
        "else, or with fewer than 3 seeds, undecided"
    )

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """The slopes are told in any case."""
        clean, left = (effect(slopes(measured, of)) for of in (_clean_skill, _skill_left))
        numbers = {"clean": vars(clean), "attacked": vars(left)}
        told = f"slope of clean skill {clean}, of attacked skill {left}"
        seeds = len({cell.settings["seed"] for cell in measured})
        if seeds < LEAST_MODELS:
            return Verdict("undecided", f"{told}; {seeds} seed a layout, {LEAST_MODELS} needed", numbers)
        if clean.above and left.below:
            return Verdict("holds", told, numbers)
        return Verdict("fails" if clean.below or left.above else "undecided", told, numbers)


def slopes(measured: Sequence[Measured], skill_of: Callable[[Measured], list[float]]) -> list[Array]:
    """Of each data set and seed the slope of a skill on the sharing degree, `[1 + RESAMPLES]`."""
    together: dict[tuple[str, int], list[Measured]] = {}
    for cell in measured:
        key = (cell.settings["model"].partition("-")[0], cell.settings["seed"])
        together.setdefault(key, []).append(cell)
    found = []
    for cells in together.values():
        degree = np.array([cell.numbers["degree"] for cell in cells])
        centred = degree - degree.mean()
        if not centred.any():
            continue  # One layout has no slope.
        found.append(centred @ np.stack([skill_of(cell) for cell in cells]) / (centred @ centred))
    return found


def _clean_skill(cell: Measured) -> list[float]:
    return list(cell.numbers["clean_skill"])


def _skill_left(cell: Measured) -> list[float]:
    return list(cell.numbers["attacks"][JOINT]["skill"])


class SharingStudy(Study):
    """Every single-task attack and DGBA on the shipped layouts, and on those of the rooms trained from other seeds."""

    name = "sharing"
    paper = "Zhang, Liu, Mahmood, Ding, Guan: Attacking All Tasks at Once (arXiv 2305.12066)"
    summary = "Tasks that share more feel each other's attacks more, and are less robust."
    cost = (
        "full: 7 shipped networks and 12 trained on 1,024 rooms for 5 epochs, 32 images, 4 or 6 attacks of 20 passes; "
        "quick: 2 networks, 2 images"
    )
    claims = (C3(), C4())

    def cells(self, quick: bool) -> list[Cell]:
        """A cell a network: the shipped ones, then every layout of the rooms from each of `SEEDS`."""
        steps, images = (3, 2) if quick else (20, 32)
        same = {"steps": steps, "images": images, "eps": EPS}
        shipped = [
            Cell(self.name, model, {"model": model, "seed": SHIPPED_SEED, **same}, work=images)
            for model in clean_networks(quick, few=2)
        ]
        return shipped if quick else shipped + reseeded_cells(self.name, ROOMS.clean, same)

    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """`strength.attacked`, the sharing degree, and by pair of tasks the share of stages in common."""
        model, data = network_of(settings, folder)
        names = [*(f"single:{task}" for task in model.tasks), JOINT]
        attacks = {
            name: create_attack(f"apgd-{name}", eps=settings["eps"] / 255, steps=settings["steps"]) for name in names
        }
        layout: Layout = model.layout  # type: ignore[assignment]
        depth = {
            "|".join(sorted(pair)): layout.separation(*pair) / layout.stages for pair in combinations(model.tasks, 2)
        }
        measured = attacked(model, data, attacks, folder, settings["model"])
        return measured | {"degree": round(layout.sharing_degree, 6), "depth": depth}

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        """A line a network."""
        rows = []
        for cell in sorted(measured, key=lambda cell: -cell.numbers["degree"]):
            rho = rank_correlation(cell)
            rows.append(
                [
                    cell.name,
                    f"{cell.numbers['degree']:.2f}",
                    f"{np.median(carried(cell)[1][0]):.2f}",
                    "–" if rho is None else str(effect([rho])),
                    f"{cell.numbers['clean_skill'][0]:.3f}",
                    f"{cell.numbers['attacks'][JOINT]['skill'][0]:.3f}",
                ]
            )
        columns = ["model", "sharing degree", "transfer (median)", "ρ with branching", "clean skill", "attacked skill"]
        return [Table("what is shared, and what carries over", columns, rows)]

    def plot(self, measured: Sequence[Measured], folder: Path) -> list[Path]:
        """Skill against the sharing degree, and ρ of each network that has one."""
        found = {cell.name: effect([rho]) for cell in measured if (rho := rank_correlation(cell)) is not None}
        pictures = [plot_trends(_skill_panels(measured), folder / "sharing.png")]
        if found:
            panel = Forest("transfer and branching", "Spearman's ρ", found)
            pictures.append(plot_forests([[panel]], folder / "branching.png"))
        return pictures


def _skill_panels(measured: Sequence[Measured]) -> list[Trend]:
    """A panel a data set for the shipped networks and for those of other seeds, with the mean over these."""
    groups: dict[str, dict[float, list[Measured]]] = {}
    for cell in measured:
        data, seed = cell.settings["model"].partition("-")[0], cell.settings["seed"]
        group = f"{data}, {'shipped' if seed == SHIPPED_SEED else 'mean over seeds'}"
        groups.setdefault(group, {}).setdefault(cell.numbers["degree"], []).append(cell)
    skills = {"clean": _clean_skill, f"under apgd-{JOINT}": _skill_left}
    return [
        Trend(
            group,
            "sharing degree",
            "skill",
            [
                Line(label, sorted(degrees), [_mean(degrees[degree], of) for degree in sorted(degrees)])
                for label, of in skills.items()
            ],
        )
        for group, degrees in groups.items()
    ]


def _mean(cells: Sequence[Measured], of: Callable[[Measured], list[float]]) -> Effect:
    return effect([np.array(of(cell)) for cell in cells])

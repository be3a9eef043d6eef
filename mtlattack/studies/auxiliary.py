"""M3: whether a task is more robust on a network that learnt another one beside it.

What speaks against it: Ghamizi et al., "Adversarial Robustness in Multi-Task Learning: Promises and Illusions" (arXiv
2110.15053), found it on eleven tasks of Taskonomy for l_2 and not for l_inf, nor beyond ε = 4/255: the relative
vulnerability of segmentation was .82 alone and .86 to .97 with one auxiliary task, and APGD took away what tuned task
weights had gained under PGD. So both norms are claims of their own, and both step rules must show the gain.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from mtlattack.analysis.report import analyse
from mtlattack.attacks import Attack, create_attack
from mtlattack.evaluation import evaluate
from mtlattack.evidence.places import EVIDENCE
from mtlattack.studies.nested import LEAST_MODELS, Array, Effect, effect, effects
from mtlattack.studies.networks import spread
from mtlattack.studies.pictures import Forest, plot_forests
from mtlattack.studies.strength import RESAMPLES, rounded
from mtlattack.studies.study import Cell, Claim, Measured, Study, Table, Verdict
from mtlattack.studies.trained import trained
from mtlattack.training import Recipe
from mtlattack.wording import counted

# What is learnt, and what beside it.
PAIRS = (("segmentation", "depth"), ("segmentation", "normals"), ("depth", "normals"))
WEIGHTS = (0.001, 0.01, 0.1)
SEEDS = (0, 1, 2)
RULES = ("pgd", "apgd")
# For each norm an ε, in the units of attacks, that leaves something of a network trained on clean images.
EPS = {"linf": 1 / 255, "l2": 0.3}
# So far apart clean skills may be that count as matched.
MATCHED = 0.03
_NETWORK = {
    "backbone": "resnet10t",
    "backbone_options": {"channels": [24, 48, 64, 96], "stem_width": 16},
    "output_stride": 16,
    "head_width": 32,
}


@dataclass(frozen=True)
class Chosen:
    """Of a pair of tasks the auxiliary weight that is judged: by seed the networks without and with the other task."""

    pair: str
    weight: float
    seeds: Mapping[int, tuple[Measured, Measured]]

    @property
    def apart(self) -> float:
        """Clean skill of the main task with the other one minus without it, mean over seeds."""
        return float(
            np.mean([other.numbers["clean"][0] - one.numbers["clean"][0] for one, other in self.seeds.values()])
        )

    @property
    def matched(self) -> bool:
        """Whether both do the main task equally well on clean images."""
        return abs(self.apart) <= MATCHED

    def gains(self, attack: str) -> dict[int, Array]:
        """By seed what skill the main task keeps under an attack, with minus without, `[1 + RESAMPLES]`."""
        return {
            seed: np.array(other.numbers["attacks"][attack]) - np.array(one.numbers["attacks"][attack])
            for seed, (one, other) in self.seeds.items()
        }


def candidates(measured: Sequence[Measured]) -> Iterator[Chosen]:
    """Every pair with every weight that was measured."""
    alone = {
        (cell.settings["main"], cell.settings["seed"]): cell for cell in measured if cell.settings["auxiliary"] is None
    }
    together: dict[tuple[str, str, float], dict[int, tuple[Measured, Measured]]] = {}
    for cell in measured:
        main, auxiliary, weight, seed = (cell.settings[key] for key in ("main", "auxiliary", "weight", "seed"))
        if auxiliary is not None and (main, seed) in alone:
            together.setdefault((main, auxiliary, weight), {})[seed] = (alone[main, seed], cell)
    for (main, auxiliary, weight), seeds in together.items():
        yield Chosen(f"{main} + {auxiliary}", weight, seeds)


def choose(measured: Sequence[Measured]) -> list[Chosen]:
    """Of each pair the weight with the nearest clean skill, if that is near enough."""
    nearest: dict[str, Chosen] = {}
    for each in candidates(measured):
        if each.pair not in nearest or abs(each.apart) < abs(nearest[each.pair].apart):
            nearest[each.pair] = each
    return [each for each in nearest.values() if each.matched]


def by_seed(chosen: Sequence[Chosen], attack: str) -> list[Array]:
    """The gain under an attack, mean over pairs, of each seed."""
    gains = [each.gains(attack) for each in chosen]
    seeds = sorted({seed for each in gains for seed in each})
    return [np.mean([each[seed] for each in gains if seed in each], 0) for seed in seeds]


@dataclass(frozen=True)
class Gain(Claim):
    """Under PGD and APGD of one norm."""

    name: str
    norm: str
    sentence: str

    @property
    def rule(self) -> str:  # type: ignore[override]
        """The same for both norms."""
        return _RULE.format(norm=self.norm, matched=MATCHED, seeds=LEAST_MODELS)

    def judge(self, measured: Sequence[Measured]) -> Verdict:
        """Both step rules must show it."""
        chosen = choose(measured)
        if not chosen:
            return Verdict("undecided", "no pair of tasks has a weight with matched clean skill")
        found = effects({rule: by_seed(chosen, f"{self.norm}-{rule}") for rule in RULES})
        told = ", ".join(f"{rule} {each}" for rule, each in found.items())
        because = f"skill kept with minus without, {counted(len(chosen), 'pair')}: {told}"
        numbers = {rule: vars(each) for rule, each in found.items()}
        if all(each.above for each in found.values()):
            return Verdict("holds", because, numbers)
        return Verdict("fails" if any(each.below for each in found.values()) else "undecided", because, numbers)


_RULE = (
    "of each pair (main task, auxiliary task) the auxiliary weight λ whose clean skill of the main task is nearest to "
    "that of the networks trained without the auxiliary task (mean over seeds); pairs further than {matched} away are "
    "left out; gain = skill that the main task keeps under an {norm} attack on it alone, with minus without, same "
    "seed, same images, mean over pairs; holds if the gain is above 0 at p < .05 under PGD and under APGD "
    "(hierarchical bootstrap, seeds then images; Holm over both), fails if it is below 0 under one of them at the same "
    "level; else, or with fewer than {seeds} seeds, undecided"
)
M3_LINF = Gain("M3-linf", "linf", "A task learnt with an auxiliary one keeps more skill under l_inf attacks.")
M3_L2 = Gain("M3-l2", "l2", "A task learnt with an auxiliary one keeps more skill under l_2 attacks.")


class AuxiliaryStudy(Study):
    """Small networks for rooms, trained in the cells: a main task alone, and with another one at several weights."""

    name = "auxiliary"
    paper = "Mao et al.: Multitask Learning Strengthens Adversarial Robustness (arXiv 2007.07236)"
    summary = "A task that was learnt with an auxiliary one is more robust; Ghamizi et al. (arXiv 2110.15053) dissent."
    cost = (
        "full: 33 networks trained on 1,024 rooms, 5 epochs each, 32 images, 4 attacks of 10 passes; quick: 2 networks"
    )
    claims = (M3_LINF, M3_L2)

    def cells(self, quick: bool) -> list[Cell]:
        """A cell a network: main task, auxiliary task or none, weight, seed."""
        if quick:
            small = {"train_images": 8, "epochs": 1, "images": 2, "steps": 2}
            return [_cell("segmentation", None, None, 0, small), _cell("segmentation", "normals", 0.1, 0, small)]
        size = {"train_images": 1024, "epochs": 5, "images": 32, "steps": 10}
        mains = dict.fromkeys(main for main, _ in PAIRS)
        return [
            *(_cell(main, None, None, seed, size) for main, seed in product(mains, SEEDS)),
            *(_cell(*pair, weight, seed, size) for pair, weight, seed in product(PAIRS, WEIGHTS, SEEDS)),
        ]

    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Skill of the main task, clean and under each attack on it alone, `[1 + RESAMPLES]`; training goes on where it
        was."""
        main = settings["main"]
        network = trained(recipe(settings), settings["train_images"], folder)
        data = spread("rooms", network.tasks, settings["images"])
        attacks = attacks_on(main, settings["steps"])
        run = evaluate(network, data, list(attacks.values()), path=folder / EVIDENCE, name="auxiliary", device="cpu")  # type: ignore[arg-type]
        analysis = analyse(run, RESAMPLES)

        def skill(metrics: Any) -> list[float]:
            measured = analysis.skill(metrics)
            assert measured is not None  # Rooms have labels, so there are constants.
            return rounded(measured.tasks[main])

        return {
            "clean": skill(analysis.clean_metrics),
            "attacks": {label: skill(job.change.metrics) for label, job in zip(attacks, analysis.jobs, strict=True)},
            "vulnerability": {
                label: rounded(-job.change.tasks[main][:1])[0]
                for label, job in zip(attacks, analysis.jobs, strict=True)
            },
        }

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        """A line a pair and weight; what is judged has a star."""
        labels = [f"{norm}-{rule}" for norm, rule in product(EPS, RULES)]
        judged = choose(measured)
        rows = []
        for each in candidates(measured):
            mark = " *" if each in judged else ""
            gains = [str(_alone(each, label)) for label in labels]
            rows.append([f"{each.pair}{mark}", f"{each.weight:g}", f"{each.apart:+.3f}", *gains])
        columns = ["main + auxiliary", "λ", "clean skill, with − without", *(f"gain, {label}" for label in labels)]
        return [Table("skill of the main task with the auxiliary one minus without (* judged)", columns, rows)]

    def plot(self, measured: Sequence[Measured], folder: Path) -> list[Path]:
        """The gain of every pair and weight, a panel an attack."""
        labels = [f"{norm}-{rule}" for norm, rule in product(EPS, RULES)]
        found = {f"{each.pair}, λ = {each.weight:g}": each for each in candidates(measured)}
        panels = [
            Forest(label, "skill, with − without", {name: _alone(each, label) for name, each in found.items()})
            for label in labels
        ]
        return [plot_forests([panels], folder / "auxiliary.png")]


def attacks_on(main: str, steps: int) -> dict[str, Attack]:
    """PGD and APGD of both norms on the main task alone, by `<norm>-<rule>`."""
    return {
        f"{norm}-{rule}": create_attack(f"{rule}-single:{main}", eps=eps, norm=norm, steps=steps)
        for (norm, eps), rule in product(EPS.items(), RULES)
    }


def recipe(settings: Mapping[str, Any]) -> Recipe:
    """How the network of a cell is trained: as those of the zoo's rooms, in fewer steps."""
    main, auxiliary = settings["main"], settings["auxiliary"]
    weight = {} if auxiliary is None else {"auxiliary_weight": settings["weight"]}
    return Recipe(
        name=_name(main, auxiliary, settings["weight"], settings["seed"]),
        data="rooms",
        tasks=[main] if auxiliary is None else [main, auxiliary],
        main_tasks=[main],
        network=_NETWORK,
        epochs=settings["epochs"],
        batch_size=min(32, settings["train_images"]),
        learning_rate=3e-3,
        zoom=1.3,
        seed=settings["seed"],
        **weight,
    )


def _alone(chosen: Chosen, attack: str) -> Effect:
    return effect(list(chosen.gains(attack).values()))


def _name(main: str, auxiliary: str | None, weight: float | None, seed: int) -> str:
    return f"{main}-alone-seed{seed}" if auxiliary is None else f"{main}+{auxiliary}-{weight:g}-seed{seed}"


def _cell(main: str, auxiliary: str | None, weight: float | None, seed: int, size: Mapping[str, int]) -> Cell:
    settings = {"main": main, "auxiliary": auxiliary, "weight": weight, "seed": seed, **size}
    work = size["train_images"] * size["epochs"] / 100
    return Cell("auxiliary", _name(main, auxiliary, weight, seed), settings, work)

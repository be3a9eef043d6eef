"""What the study measures: all attacks of one split and mode, and pairs of one attacked and one target task."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mtlattack.files import whole_file
from mtlattack.poisoning import Box, Goal, Learner, Method, Mode, Omega, Patom, TaskSet
from mtlattack.poisoning.experiment import Cell as Attack
from mtlattack.poisoning.experiment import Outcome, Plan, Trial, digest_of, target_error
from mtlattack.poisoning.relations import LearnedAt, correlation
from mtlattack.poisoning.splitting import split_tasks
from mtlattack.studies.poisoning.sources import SOURCES, TOYS, at_hand, read_source
from mtlattack.studies.study import Cell

BUDGET = 0.2
MODES = (Mode.DIRECT, Mode.INDIRECT)
METHODS = (Method.RANDOM, Method.PATOM)
PAIRS_PART = "pairs"
# Seed 0 is not among them: λ₂ of each table was chosen by test errors of that split.
SEEDS, QUICK_SEEDS = (1, 2, 3, 4, 5), (1, 2, 3)
ITERATIONS, PAIR_ITERATIONS, QUICK_ITERATIONS = 30, 20, 6
PAIRS, QUICK_PAIRS = 12, 5
DECOUPLED_PAIRS = 3
CORRELATIONS = "correlations.npz"
_CLEAN_TOLERANCE, _RISE_TOLERANCE = 1e-6, 1e-10


def cells(study: str, quick: bool) -> list[Cell]:
    """One for every table, split and mode, and one for the pairs of every table and split; of tables at hand."""
    tables = list(TOYS) if quick else [name for name in SOURCES if at_hand(name)]
    made = []
    for table in tables:
        work = 1.0 if quick else SOURCES[table].work
        shared = {"table": table, "relation": 0.1 if quick else SOURCES[table].relation}
        if not quick:
            shared["options"] = dict(SOURCES[table].options)
        for seed in QUICK_SEEDS if quick else SEEDS:
            for mode in MODES:
                settings = {**shared, "part": str(mode), "seed": seed, "budget": BUDGET}
                settings["iterations"] = QUICK_ITERATIONS if quick else ITERATIONS
                made.append(Cell(study, f"{table}-{mode}-seed{seed}", settings, work))
            settings = {**shared, "part": PAIRS_PART, "seed": seed, "budget": BUDGET}
            settings["iterations"] = QUICK_ITERATIONS if quick else PAIR_ITERATIONS
            settings["pairs"] = QUICK_PAIRS if quick else PAIRS
            made.append(Cell(study, f"{table}-pairs-seed{seed}", settings, 2 * work))
    return made


def measure(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The numbers of a cell; attacks also leave the task correlations in `folder`."""
    tasks = read_source(settings["table"])
    about = {
        "digest": digest_of(tasks), "kind": str(tasks.kind), "tasks": len(tasks), "points": sum(tasks.sizes),
        "features": tasks.dimension,
    }  # fmt: skip
    if settings["part"] == PAIRS_PART:
        return about | _pairs(settings, tasks)
    return about | _attacks(settings, tasks, folder)


def _attacks(settings: Mapping[str, Any], tasks: TaskSet, folder: Path) -> dict[str, Any]:
    """Error, utility and mean |correlation| within the attacked group: clean, after every method, and after PATOM with
    Ω held fixed in its gradient (`frozen`)."""
    mode, seed, budget = Mode(settings["part"]), settings["seed"], settings["budget"]
    chosen = {
        "data": settings["table"], "digest": "", "modes": [mode], "budgets": [budget], "seeds": [seed],
        "relation": settings["relation"], "iterations": settings["iterations"],
    }  # fmt: skip
    plan = Plan.model_validate(chosen)
    trial = Trial(plan, tasks, seed)
    attacked = list(trial.sides.attacked[mode])
    frozen = Trial(plan.model_copy(update={"omega": Omega.FROZEN}), tasks, seed)
    outcomes = {"clean": trial.run(Attack(seed))}
    outcomes |= {str(method): trial.run(Attack(seed, mode, method, budget)) for method in METHODS}
    outcomes["frozen"] = frozen.run(Attack(seed, mode, Method.PATOM, budget))
    folder.mkdir(parents=True, exist_ok=True)
    clean, random, patom = (outcomes[name].correlations for name in ("clean", "random", "patom"))
    with whole_file(folder / CORRELATIONS) as partial, partial.open("wb") as file:
        np.savez_compressed(file, attacked=attacked, clean=clean, random=random, patom=patom)
    return {"attacks": {name: _numbers(outcome, tasks, attacked) for name, outcome in outcomes.items()}}


def _numbers(outcome: Outcome, tasks: TaskSet, attacked: list[int]) -> dict[str, Any]:
    found = np.abs(outcome.correlations[np.ix_(attacked, attacked)])
    return {
        "error": target_error(outcome.numbers, tasks.kind, tasks.names),
        "utility": outcome.numbers["utility"],
        "within": float(found[np.triu_indices(len(attacked), 1)].mean()),
        "injected": outcome.numbers["injected"],
        "stationarity": outcome.numbers["victim_stationarity"],
        "attack_seconds": outcome.numbers["attack_seconds"],
    }


def _pairs(settings: Mapping[str, Any], tasks: TaskSet) -> dict[str, Any]:
    """For ordered pairs by chance the clean |Ω_ij| and |correlation|, and the rise of target i's clean loss when points
    go into task j; of the first pairs also the rise at λ₂ = 0."""
    seed = settings["seed"]
    train = split_tasks(tasks, seed).train
    every = [(i, j) for i in range(len(tasks)) for j in range(len(tasks)) if i != j]
    order = np.random.default_rng([seed, 2]).permutation(len(every))
    chosen = [every[k] for k in order[: settings["pairs"]]]
    learner = Learner(relation=settings["relation"])
    penalty = learner.fit(train, tolerance=_CLEAN_TOLERANCE).at.penalty
    assert isinstance(penalty, LearnedAt)
    omega = np.abs(penalty.covariance)
    related = np.abs(correlation(penalty.covariance))
    attack = Patom(iterations=settings["iterations"], seed=seed)
    box = Box.around(train)

    def rises(learner: Learner, pairs: list[tuple[int, int]]) -> list[float]:
        data = learner.data(train)
        before = data.losses(learner.fit(train, tolerance=_RISE_TOLERANCE).parameters)
        found = []
        for target, attacked in pairs:
            poison = attack(learner, train, Goal((target,), (attacked,), settings["budget"], box))
            after = data.losses(learner.fit(train.with_points(poison.points), tolerance=_RISE_TOLERANCE).parameters)
            found.append(float(after[target] - before[target]))
        return found

    return {
        "pairs": [list(pair) for pair in chosen],
        "omega": [float(omega[pair]) for pair in chosen],
        "correlation": [float(related[pair]) for pair in chosen],
        "rise": rises(learner, chosen),
        "decoupled_rise": rises(replace(learner, relation=0.0), chosen[:DECOUPLED_PAIRS]),
    }

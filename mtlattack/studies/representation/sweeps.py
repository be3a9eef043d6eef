"""What the linear study measures: arms, sweeps over one size each, and all learners of one cell."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mtlattack.representation.linear import (
    Norm,
    Problem,
    best_representation,
    check_new,
    check_sensible,
    clean_nu,
    draw_sources,
    draw_target,
    draw_tasks,
    estimate_nu,
    learn_alone,
    learn_head,
    learn_representation,
    least_risk,
    smallest_singular,
    target_risk,
)
from mtlattack.studies.study import Cell


@dataclass(frozen=True)
class Arm:
    """A kind of problem, whose loss is learned, and a threat.

    Heads are drawn with `scale`, weights have an l_2 norm of at most `bound`, and `axes` are swept.
    """

    kind: str
    norm: Norm
    eps: float
    scale: float
    bound: float
    axes: tuple[str, ...] = ("t", "n", "m", "weakest", "eps")


ARMS = {
    "squared-l2": Arm("regression", "l2", 0.2, 0.7, math.inf),
    "squared-linf": Arm("regression", "linf", 0.05, 0.7, math.inf),
    "logistic-l2": Arm("mixture", "l2", 0.2, 1.0, 8.0),
    "logistic-linf": Arm("mixture", "linf", 0.05, 1.0, 8.0),
    "multiclass-l2": Arm("classes", "l2", 0.2, 1.0, 8.0, axes=("m",)),
}
BASE = {"t": 16, "n": 40, "m": 1000, "weakest": 1.0}
FULL: dict[str, tuple[float, ...]] = {
    "t": (4, 8, 16, 32),
    "n": (20, 40, 80, 160),
    "m": (10, 20, 40, 80, 160, 320, 640, 1280),
    "weakest": (1.0, 0.5, 0.25, 0.1),
    "eps": (0.5, 1.0, 2.0),
}
QUICK: dict[str, tuple[float, ...]] = {
    "t": (4, 8, 16),
    "n": (20, 40, 80),
    "m": (10, 40, 160, 640),
    "weakest": (1.0, 0.1),
}
# In the sweep over m the representation is the one of these sizes.
SWEPT_TARGET = {"t": 16, "n": 80}
DIMENSION, RANK = 40, 3
SEEDS, FIRST_SEED, QUICK_SEEDS = 12, 100, 8


def cells(study: str, quick: bool) -> list[Cell]:
    """One cell for each arm, axis and value, and one for all m."""
    arms = ["squared-l2"] if quick else list(ARMS)
    seeds = list(range(FIRST_SEED, FIRST_SEED + (QUICK_SEEDS if quick else SEEDS)))
    return [
        Cell(study, f"linear-{arm}-{name}", {"arm": arm, "seeds": seeds, **settings}, work)
        for arm in arms
        for name, settings, work in _points(
            {axis: values for axis, values in (QUICK if quick else FULL).items() if axis in ARMS[arm].axes}
        )
    ]


def _points(axes: Mapping[str, tuple[float, ...]]) -> Iterator[tuple[str, dict[str, Any], float]]:
    for axis, values in axes.items():
        if axis == "m":
            yield "m", {"axis": "m", "values": list(values), **BASE, **SWEPT_TARGET}, 10.0
            continue
        for value in values:
            sizes = {**BASE, "axis": axis, "values": [value], "factor": 1.0}
            sizes["factor" if axis == "eps" else axis] = value
            yield f"{axis}-{value:g}", sizes, 5.0 * float(sizes["t"]) * float(sizes["n"]) / 640  # type: ignore[arg-type]


def measure(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Excess adversarial risk of the target, by learner a list over seeds (over m: a list of such lists).

    `robust`: adversarial stages 1 and 2. `clean`: a clean stage 1, an adversarial stage 2. `alone`: no stage 1, the
    target by itself. `true`: an adversarial stage 2 on h*. The excess is over the best head on h*, the minimiser of the
    sources' adversarial risk over the distribution.
    """
    arm = ARMS[settings["arm"]]
    eps, norm = arm.eps * settings.get("factor", 1.0), arm.norm
    problem = Problem(
        kind=arm.kind,  # type: ignore[arg-type]
        dimension=DIMENSION,
        rank=RANK,
        sources=int(settings["t"]),
        weakest=settings["weakest"],
        scale=arm.scale,
    )
    loss, tasks = problem.loss, draw_tasks(problem, settings["seeds"])
    check_sensible(tasks, eps, norm)
    sources = draw_sources(tasks, int(settings["n"]))
    best = best_representation(loss, tasks, eps, norm).basis
    least = least_risk(loss, tasks, best, eps, norm)
    stage_one = {
        name: learn_representation(loss, sources, RANK, attack, norm, arm.bound)
        for name, attack in (("robust", eps), ("clean", 0.0))
    }
    robust, clean = stage_one["robust"].basis, stage_one["clean"].basis
    sizes = [int(value) for value in settings["values"]] if settings["axis"] == "m" else [int(settings["m"])]
    excess: dict[str, list[list[float]]] = {"robust": [], "clean": [], "alone": [], "true": []}
    for size in sizes:
        target = draw_target(tasks, size)
        check_new(sources, target)
        learned = {
            "robust": learn_head(loss, robust, target, eps, norm, arm.bound),
            "clean": learn_head(loss, clean, target, eps, norm, arm.bound),
            "true": learn_head(loss, best, target, eps, norm, arm.bound),
        }
        if settings["axis"] == "m":
            learned["alone"] = learn_alone(loss, target, eps, norm, arm.bound)
        for name, weights in learned.items():
            excess[name].append((target_risk(loss, tasks, weights, eps, norm) - least).tolist())
    # What remains with infinitely many examples of the target.
    floors = {
        name: (least_risk(loss, tasks, basis, eps, norm) - least).tolist()
        for name, basis in (("robust", robust), ("clean", clean))
    }
    numbers: dict[str, Any] = {"excess": excess, "floor": floors, "least": least.tolist(), "eps": eps}
    numbers["converged"] = {
        name: found.converged.tolist() for name, found in stage_one.items() if found.converged is not None
    }
    if settings["arm"] == "squared-l2" and settings["axis"] == "weakest":
        numbers["nu"] = estimate_nu(loss, tasks, eps, tries=2).tolist()
        numbers["clean_nu"] = clean_nu(tasks).tolist()
    numbers["proxy"] = smallest_singular(tasks).tolist()
    return numbers

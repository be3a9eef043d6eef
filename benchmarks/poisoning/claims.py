"""P1 to P4 of PATOM's paper on one table: attacks run, rules applied; `verdicts.py` puts the tables together.

python benchmarks/poisoning/claims.py landmine --from FOLDER

The rules, written before the first run. All intervals are 95 %, Student's t over splits (seeds); differences are paired
within a split; the victim learns from nothing by the alternating solver (in P2 by Newton's method); a fifth of each
attacked task is injected.
- P1, per mode: the targets' mean test error under PATOM minus that under random points. Holds if the interval is above
  0, fails if below, else undecided.
- P2: in each split Spearman's correlation, over ordered pairs of tasks, of the clean |Ω_ij| with the rise of target i's
  clean loss when 20 % of task j is injected by PATOM. Holds if its interval is above 0, fails if below. The decoupled
  limit holds if at λ₂ = 0 every pair's rise is below 1e-6.
- P3, per mode: the mean |correlation| within the attacked group. Holds if both after PATOM minus clean, and after PATOM
  minus after random points, have intervals above 0; fails if after PATOM minus clean is below 0; else undecided.
- P4, per mode: the utility (targets' clean loss, victim learned anew) of exact minus that of frozen gradients, at equal
  iterations. Holds if the interval is above 0, fails if below, else undecided.
"""

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from mtlattack.files import write_json
from mtlattack.poisoning import Box, Goal, Mode, Omega, Patom, TaskSet
from mtlattack.poisoning.baselines import Method
from mtlattack.poisoning.experiment import Cell, Estimate, Plan, digest_of, run_experiment, target_error
from mtlattack.poisoning.experiment.folder import Folder
from mtlattack.poisoning.relations import correlation
from mtlattack.poisoning.sources import READERS, read_tasks
from mtlattack.poisoning.splitting import split_tasks

HERE = Path(__file__).parent
BUDGET, PAIRS, PAIR_ITERATIONS, PAIR_SEEDS = 0.2, 24, 30, 3
RELATION = {"landmine": 0.01, "school": 0.1, "sarcos": 0.01, "parkinsons": 0.01, "mnist": 0.001}
OPTIONS = {"mnist": {"tasks": "pairs", "components": "32", "limit": "3000"}}


def verdict(estimate: Estimate) -> str:
    """`holds` above 0, `fails` below, `undecided` where the interval holds 0."""
    assert estimate.low is not None and estimate.high is not None
    return "holds" if estimate.low > 0 else "fails" if estimate.high < 0 else "undecided"


def judged(values: Any) -> dict[str, Any]:
    estimate = Estimate.of(values)
    return {**asdict(estimate), "verdict": verdict(estimate)}


def experiments(name: str, tasks: TaskSet, out: Path, seeds: list[int], iterations: int) -> dict[Omega, Plan]:
    """Both experiments that P1, P3 and P4 are read from, run or found."""
    plans = {}
    for omega in Omega:
        methods = list(Method) if omega is Omega.EXACT else [Method.PATOM]
        plans[omega] = Plan(
            data=name, digest=digest_of(tasks), seeds=seeds, budgets=[BUDGET], relation=RELATION.get(name, 0.01),
            omega=omega, methods=methods, iterations=iterations,
        )  # fmt: skip
        run_experiment(plans[omega], tasks, out / f"{name}-{omega}")
    return plans


def read_claims(name: str, tasks: TaskSet, out: Path, plans: dict[Omega, Plan]) -> dict[str, Any]:
    folders = {omega: Folder(out / f"{name}-{omega}") for omega in Omega}
    seeds = plans[Omega.EXACT].seeds

    def numbers(omega: Omega, seed: int, mode: Mode | None = None, method: Method | None = None) -> dict[str, Any]:
        found = folders[omega].numbers(Cell(seed, mode, method, None if method is None else BUDGET))
        assert found is not None
        return found

    def error(seed: int, mode: Mode | None = None, method: Method | None = None) -> float:
        return target_error(numbers(Omega.EXACT, seed, mode, method), tasks.kind, tasks.names)

    def utility(omega: Omega, seed: int, mode: Mode) -> float:
        return float(numbers(omega, seed, mode, Method.PATOM)["utility"])

    def within(seed: int, mode: Mode, method: Method | None) -> float:
        """Mean |correlation| between the attacked tasks of a mode, after a method or clean."""
        attacked = [tasks.names.index(n) for n in numbers(Omega.EXACT, seed, mode, Method.PATOM)["attacked"]]
        cell = Cell(seed) if method is None else Cell(seed, mode, method, BUDGET)
        found = np.abs(folders[Omega.EXACT].correlations(cell))[np.ix_(attacked, attacked)]
        return float(found[np.triu_indices(len(attacked), 1)].mean())

    result: dict[str, Any] = {
        "P1": {},
        "P3": {},
        "P4": {},
        "errors": {"clean": asdict(Estimate.of([error(s) for s in seeds]))},
    }
    for mode in (Mode.DIRECT, Mode.INDIRECT):
        for method in Method:
            result["errors"][f"{method} {mode}"] = asdict(Estimate.of([error(s, mode, method) for s in seeds]))
        result["P1"][mode] = judged([error(s, mode, Method.PATOM) - error(s, mode, Method.RANDOM) for s in seeds])
        result["P4"][mode] = judged([utility(Omega.EXACT, s, mode) - utility(Omega.FROZEN, s, mode) for s in seeds])
        after = np.array([within(s, mode, Method.PATOM) for s in seeds])
        clean = np.array([within(s, mode, None) for s in seeds])
        random = np.array([within(s, mode, Method.RANDOM) for s in seeds])
        rose, more = Estimate.of(after - clean), Estimate.of(after - random)
        ruled = (
            verdict(rose)
            if verdict(rose) == "fails"
            else "holds"
            if verdict(rose) == verdict(more) == "holds"
            else "undecided"
        )
        means = {"clean": clean.mean(), "random": random.mean(), "patom": after.mean()}
        result["P3"][mode] = {**means, "minus clean": asdict(rose), "minus random": asdict(more), "verdict": ruled}
    return result


def pairs_claim(name: str, tasks: TaskSet, plan: Plan) -> dict[str, Any]:
    """P2."""
    coefficients, clean_errors, rows, decoupled = [], [], [], []
    for seed in range(PAIR_SEEDS):
        train = split_tasks(tasks, seed).train
        generator = np.random.default_rng([seed, 2])
        every = [(i, j) for i in range(len(tasks)) for j in range(len(tasks)) if i != j]
        chosen = [every[k] for k in generator.permutation(len(every))[:PAIRS]]
        learner = plan.learner
        clean = learner.fit(train, tolerance=1e-6)
        omega = np.abs(clean.at.penalty.covariance)  # type: ignore[attr-defined]
        related = np.abs(correlation(omega))
        rises = []
        for place, (target, attacked) in enumerate(chosen):
            goal = Goal((target,), (attacked,), BUDGET, Box.around(train))
            attack = Patom(iterations=PAIR_ITERATIONS, seed=seed)
            rises.append(_rise(learner, attack, train, goal, target))
            rows.append({"seed": seed, "target": target, "attacked": attacked, "omega": float(omega[target, attacked]),
                         "correlation": float(related[target, attacked]), "rise": rises[-1]})  # fmt: skip
            if place < 3:
                decoupled.append(_rise(replace(learner, relation=0.0), attack, train, goal, target))
        coefficients.append(float(spearmanr([omega[i, j] for i, j in chosen], rises).statistic))
        clean_errors.append(float(spearmanr([related[i, j] for i, j in chosen], rises).statistic))
    limit = max(abs(rise) for rise in decoupled)
    return {
        "spearman |omega|": judged(coefficients),
        "spearman |correlation|": judged(clean_errors),
        "decoupled": {"largest rise": limit, "verdict": "holds" if limit < 1e-6 else "fails"},
        "pairs": rows,
    }


def _rise(learner: Any, attack: Patom, train: TaskSet, goal: Goal, target: int) -> float:
    """Of the target's clean loss, learned anew to 1e-10, with the points against without."""
    poison = attack(learner, train, goal)
    data = learner.data(train)
    before, after = (
        data.losses(learner.fit(each, tolerance=1e-10).parameters)[target]
        for each in (train, train.with_points(poison.points))
    )
    return float(after - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help=f"{', '.join(READERS.names())}, or a file that frozen.py wrote")
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder with the published files")
    parser.add_argument("--out", type=Path, default=Path("poisonings"), help="where cells are kept")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=50)
    options = parser.parse_args()
    begin = time.perf_counter()
    if options.data in READERS:
        tasks = read_tasks(options.data, options.source, OPTIONS.get(options.data, {}))
    else:
        from frozen import read_frozen

        tasks = read_frozen(options.source / f"{options.data}.npz")
    plans = experiments(options.data, tasks, options.out, list(range(options.seeds)), options.iterations)
    result = {
        "data": options.data,
        "command": f"claims.py {options.data} --seeds {options.seeds} --iterations {options.iterations}",
        "tasks": len(tasks), "points": sum(tasks.sizes), "features": tasks.dimension, "kind": tasks.kind,
        "options": OPTIONS.get(options.data, {}),
        "plan": plans[Omega.EXACT].model_dump(mode="json"),
        **read_claims(options.data, tasks, options.out, plans),
    }  # fmt: skip
    result["P2"] = pairs_claim(options.data, tasks, plans[Omega.EXACT])
    result["seconds"] = round(time.perf_counter() - begin)
    write_json(HERE / f"claims-{options.data}.json", result)
    shown = {claim: result[claim] for claim in ("errors", "P1", "P3", "P4")}
    print(json.dumps(shown, indent=1), json.dumps({k: v for k, v in result["P2"].items() if k != "pairs"}, indent=1))


if __name__ == "__main__":
    main()

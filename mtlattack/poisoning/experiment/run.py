"""An experiment from beginning to end, or from where it was."""

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mtlattack.errors import InputError
from mtlattack.files import write_json
from mtlattack.poisoning.baselines import Method
from mtlattack.poisoning.budget import Mode, injected_counts
from mtlattack.poisoning.experiment.folder import Folder, opened
from mtlattack.poisoning.experiment.plan import ALARM, Cell, Plan, cells, plan_document, sides_of
from mtlattack.poisoning.experiment.plots import plot_budgets, plot_correlations
from mtlattack.poisoning.experiment.summary import Estimate, summarise
from mtlattack.poisoning.experiment.trial import Trial
from mtlattack.poisoning.tasks import TaskSet
from mtlattack.progress import progress_bar
from mtlattack.version import __version__

RESULT = "result.json"
Rows = list[dict[str, Any]]


def run_experiment(plan: Plan, tasks: TaskSet, path: Path, fresh: bool = False, points: bool = False) -> Rows:
    """Every cell that is not finished yet, then `result.json` and pictures; gives the rows of `summarise`.

    Killed at any moment, the same call goes on after the last finished cell. `points` writes the injected points,
    of the cells that are run now, to `points/`. InputError for a folder that holds another experiment.
    """
    modes = check_fits(plan, tasks)
    with opened(path, plan, fresh) as folder:
        every = list(cells(plan, modes))
        missing = [cell for cell in every if folder.numbers(cell) is None]
        trial: Trial | None = None
        with progress_bar(plan.data, total=len(every), unit="attacks") as bar:
            bar.advance(len(every) - len(missing))
            for cell in missing:
                if trial is None or trial.seed != cell.seed:
                    trial = Trial(plan, tasks, cell.seed)
                bar.describe(f"{plan.data} {cell.key}")
                outcome = trial.run(cell)
                if points and outcome.points:
                    folder.keep_points(cell, tasks, outcome.points)
                folder.keep(cell, outcome)
                bar.advance()
        done = {cell: folder.numbers(cell) or {} for cell in every}
        rows = summarise(plan, tasks.kind, tasks.names, done)
        write_json(path / RESULT, _document(plan, tasks, rows, [done[cell] for cell in every]))
        plot_budgets(plan, tasks, rows, path / "budgets.png")
        for mode in modes:
            _draw_correlations(plan, tasks, folder, mode, path)
        return rows


def check_fits(plan: Plan, tasks: TaskSet) -> list[Mode]:
    """The modes that are run; InputError for what does not fit these tasks, before there is a folder."""
    sides = [sides_of(plan, tasks, seed) for seed in plan.seeds]
    trial = Trial(plan, tasks, plan.seeds[0])
    plan.learner.data(trial.split.train)
    if ALARM in plan.defences and len(tasks) < 2:
        raise InputError(f"the defence {ALARM} watches how tasks are correlated; there is one alone")
    for mode, attacked in sides[0].attacked.items():
        for budget in plan.budgets:
            injected_counts(trial.split.train, attacked, budget)
            trial.goal(mode, budget)
    return list(sides[0].attacked)


def _draw_correlations(plan: Plan, tasks: TaskSet, folder: Folder, mode: Any, path: Path) -> None:
    """Of the first seed and the largest budget: clean, and after each method."""
    seed, budget = plan.seeds[0], max(plan.budgets)
    panels = {"clean": folder.correlations(Cell(seed))}
    for method in (Method.RANDOM, Method.FLIP, Method.PATOM):
        if method in plan.methods:
            panels[f"{method} {mode}, {budget:g}"] = folder.correlations(Cell(seed, mode, method, budget))
    targets = sides_of(plan, tasks, seed).targets
    order = [*targets, *(i for i in range(len(tasks)) if i not in targets)]
    plot_correlations(panels, order, len(targets), plan.data, path / f"correlations-{mode}.png")


def _document(plan: Plan, tasks: TaskSet, rows: Rows, numbers: list[dict[str, Any]]) -> dict[str, Any]:
    libraries = {name: version(name) for name in ("numpy", "scipy")}
    return {
        "format": "mtlattack-poisoning",
        "format_version": 1,
        "versions": {"mtlattack": __version__, **libraries},
        "plan": plan_document(plan),
        "tasks": list(tasks.names),
        "kind": tasks.kind,
        "sizes": tasks.sizes,
        "rows": [_plain(row) for row in rows],
        "cells": numbers,
    }


def _plain(value: Any) -> Any:
    """Estimates as tables of numbers."""
    if isinstance(value, Estimate):
        return asdict(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value

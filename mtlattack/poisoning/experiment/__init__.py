"""Experiments: attacks × budgets × splits of one table, kept cell by cell, summed up, drawn."""

from mtlattack.poisoning.experiment.folder import points_table, read_points
from mtlattack.poisoning.experiment.plan import ALARM, Cell, Plan, digest_of
from mtlattack.poisoning.experiment.run import RESULT, run_experiment
from mtlattack.poisoning.experiment.summary import Estimate, target_error
from mtlattack.poisoning.experiment.tables import render
from mtlattack.poisoning.experiment.trial import Outcome, Trial

__all__ = [
    "ALARM",
    "RESULT",
    "Cell",
    "Estimate",
    "Outcome",
    "Plan",
    "Trial",
    "digest_of",
    "points_table",
    "read_points",
    "render",
    "run_experiment",
    "target_error",
]

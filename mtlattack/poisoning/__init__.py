"""Multi-task relationship learning, and attacks on the data that it is taught with. Numpy and scipy alone."""

from mtlattack.poisoning.baselines import Method, inject
from mtlattack.poisoning.budget import Mode, check_mode, injected_counts, mode_of
from mtlattack.poisoning.estimators import MTRLClassifier, MTRLRegressor, NotConverged
from mtlattack.poisoning.feasible import Ball, Box, Feasible
from mtlattack.poisoning.gradient import Omega
from mtlattack.poisoning.labels import Labels
from mtlattack.poisoning.learner import Learner, Solver
from mtlattack.poisoning.patom import Goal, Patom, Poison
from mtlattack.poisoning.tasks import Kind, TaskSet, make_tasks
from mtlattack.poisoning.toy import draw_tasks

__all__ = [
    "Ball",
    "Box",
    "Feasible",
    "Goal",
    "Kind",
    "Labels",
    "Learner",
    "MTRLClassifier",
    "MTRLRegressor",
    "Method",
    "Mode",
    "NotConverged",
    "Omega",
    "Patom",
    "Poison",
    "Solver",
    "TaskSet",
    "check_mode",
    "draw_tasks",
    "inject",
    "injected_counts",
    "make_tasks",
    "mode_of",
]

"""Running attacks on models and measuring what became of each task."""

from mtlattack.evaluation.crafting import Crafted, craft
from mtlattack.evaluation.judging import judge
from mtlattack.evaluation.model import Model
from mtlattack.evaluation.runner import evaluate
from mtlattack.evaluation.suites import Suite, list_suites, load_suite

__all__ = ["Crafted", "Model", "Suite", "craft", "evaluate", "judge", "list_suites", "load_suite"]

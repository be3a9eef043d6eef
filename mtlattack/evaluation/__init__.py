"""Running attacks on models and measuring what became of each task."""

from mtlattack.evaluation.judging import measure
from mtlattack.evaluation.model import Model
from mtlattack.evaluation.runner import evaluate
from mtlattack.evaluation.suites import Suite, list_suites, load_suite

__all__ = ["Model", "Suite", "evaluate", "list_suites", "load_suite", "measure"]

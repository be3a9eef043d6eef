"""Running attacks on models and measuring what became of each task."""

from mtlattack.evaluation.evidence import Evidence, read_evidence
from mtlattack.evaluation.measuring import Measurement, measure
from mtlattack.evaluation.model import Model
from mtlattack.evaluation.record import AttackResult, Interval, Record
from mtlattack.evaluation.report import Report
from mtlattack.evaluation.runner import evaluate
from mtlattack.evaluation.suites import Suite, list_suites, load_suite

__all__ = [
    "AttackResult",
    "Evidence",
    "Interval",
    "Measurement",
    "Model",
    "Record",
    "Report",
    "Suite",
    "evaluate",
    "list_suites",
    "load_suite",
    "measure",
    "read_evidence",
]

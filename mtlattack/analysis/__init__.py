"""What evidence says: metrics, change, skill and their intervals, and when not to believe them."""

from mtlattack.analysis.record import AttackResult, Interval, Record
from mtlattack.analysis.report import Report
from mtlattack.analysis.run import Run, merge, read_run
from mtlattack.analysis.run import read_run as read_evidence

__all__ = [
    "AttackResult",
    "Interval",
    "Record",
    "Report",
    "Run",
    "merge",
    "read_evidence",
    "read_run",
]

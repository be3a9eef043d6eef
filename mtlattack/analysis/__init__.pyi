from .record import AttackResult, Interval, Record
from .report import Report
from .run import Run, merge, read_evidence, read_run

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
